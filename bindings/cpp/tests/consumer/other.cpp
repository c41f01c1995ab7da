// The other half of the program in C++: a second translation unit with the same headers.
#include "other.hpp"

// Once more: the guard holds.
#include <hookbox.hpp>

hookbox::Result<hookbox::Box> open_box() {
    return hookbox::Box::open_in_memory();
}
