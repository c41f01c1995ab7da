// A program in C++ that uses an installed hookbox, in two translation units.
#include "other.hpp"

#include <iostream>

int main() {
    hookbox::Result<hookbox::Box> box = open_box();
    if (!box) {
        std::cerr << box.error().message << "\n";
        return 1;
    }
    if (hookbox::Result<hookbox::App> app = box->create_app({"54e9ujn"}); !app) {
        std::cerr << app.error().message << "\n";
        return 1;
    }
    std::cout << "C++, hookbox " << hookbox::version() << "\n";
    return 0;
}
