// Aligned memory. Sizes are checked; too large a size throws std::bad_alloc.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

namespace zarrmal {

inline std::size_t product(std::size_t a, std::size_t b) {
    // Half of the address space: pointer differences and small sums fit as well.
    if (b && a > (static_cast<std::size_t>(-1) >> 1) / b) throw std::bad_alloc();
    return a * b;
}

template <class... More>
std::size_t product(std::size_t a, std::size_t b, More... more) {
    return product(product(a, b), more...);
}

struct AlignedDelete {
    void operator()(void* memory) const { ::operator delete(memory, std::align_val_t{64}); }
};

template <class T>
using Array = std::unique_ptr<T[], AlignedDelete>;

// Memory of n zeros.
template <class T>
Array<T> zeros(std::size_t n) {
    const std::size_t bytes = product(n, sizeof(T));
    void* memory = ::operator new(bytes, std::align_val_t{64});
    std::memset(memory, 0, bytes);
    return Array<T>(static_cast<T*>(memory));
}

}  // namespace zarrmal
