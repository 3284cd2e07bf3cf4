// Arrays and buffers between Python and the kernel.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <initializer_list>
#include <string>

#include "memory.h"

namespace nb = nanobind;

template <class T, int N>
using In = nb::ndarray<const T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <class T, int N>
using Out = nb::ndarray<nb::numpy, T, nb::ndim<N>, nb::c_contig>;

[[noreturn]] inline void refuse(const std::string& what) { throw nb::value_error(what.c_str()); }

// Without conversion: the caller must pass the right dtype and order.
template <class T, int N>
In<T, N> array(nb::handle from, const char* name) {
    In<T, N> result;
    if (!nb::try_cast<In<T, N>>(from, result, false))
        throw nb::type_error((std::string(name) + " has another dtype, rank or order").c_str());
    return result;
}

template <class T, int N>
Out<T, N> owned(zarrmal::Array<T> data, std::initializer_list<std::size_t> shape) {
    T* raw = data.get();
    nb::capsule owner(raw, [](void* p) noexcept { zarrmal::AlignedDelete{}(p); });
    data.release();
    return Out<T, N>(raw, shape, owner);
}

// Any object with a contiguous buffer.
class Buffer {
public:
    explicit Buffer(nb::handle from) {
        if (PyObject_GetBuffer(from.ptr(), &view_, PyBUF_SIMPLE)) throw nb::python_error();
    }
    ~Buffer() { PyBuffer_Release(&view_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    const std::uint8_t* data() const { return static_cast<const std::uint8_t*>(view_.buf); }
    std::int64_t size() const { return view_.len; }

private:
    Py_buffer view_;
};
