// What the two halves of the program share: a type of the library's in a signature.
#ifndef OTHER_HPP
#define OTHER_HPP

#include <hookbox.hpp>

hookbox::Result<hookbox::Box> open_box();

#endif
