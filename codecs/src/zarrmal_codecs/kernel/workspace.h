// The memory of a group of lanes, used for one group of cells after another.
#pragma once

#include <vector>

#include "cells.h"

namespace zarrmal {

class Workspace {
public:
    enum class For { encoding, measuring, decoding };

    Workspace(const Level& level, const Plan& plan, const Cells& cells, For use,
              std::size_t n_prefix);

    Group& group() { return group_; }
    std::size_t lanes() const { return lanes_; }

    // Prepares for cells from, from + 1, ... from + count - 1; count <= lanes().
    void load_cells(const Cells& cells, std::size_t from, std::size_t count);
    void load_pixels(const std::uint8_t* pixels, std::size_t from);
    void load_pixels(const std::uint16_t* pixels, std::size_t from);
    void load_prefix(const Prefix& prefix, std::size_t from);
    void store_pixels(std::uint8_t* pixels, std::size_t from) const {
        store_from(group_.values, pixels, from);
    }
    void store_pixels(std::uint16_t* pixels, std::size_t from) const {
        store_from(group_.deep_values, pixels, from);
    }

    // Index of cell k of the group in half order.
    std::size_t half_index(std::size_t k) const;
    // Lanes stored for each symbol.
    std::size_t half_lanes() const { return group_.n_vectors < 4 ? lanes_ / 2 : lanes_; }

private:
    void cover(const Cells& cells, std::size_t from);
    void lay_out(const Cells& cells, std::size_t from, std::size_t count);
    std::size_t byte_index(std::size_t k) const;
    std::size_t rows_of(int s) const {
        return static_cast<std::size_t>(group_.steps[s].layers[0].rows);
    }
    template <class T>
    void interleave_row(const T* rows, std::size_t cell, T* to, std::size_t width) const;
    template <class T>
    void store_from(const T* values, T* pixels, std::size_t from) const;
    // Lanes from the beginning of an image to the first pixel of a row of a plane.
    std::ptrdiff_t begin_of(std::size_t plane, std::size_t y) const;

    std::size_t lanes_, count_ = 0, n_planes_;
    const Plan& plan_;
    Group group_{};
    bool has_coverage_, is_new_ = true;
    Array<std::uint8_t> image_, values_, coverage_, has_pixel_, predicted_, inputs_, activations_[2], streams_;
    // Of columns and of rows.
    struct Axis {
        Array<std::uint8_t> position;
        Array<std::uint16_t> square;
    };
    Axis across_, down_;
    Array<std::int16_t> outputs_;
    std::vector<Array<std::int32_t>> first_, first_across_;
    Array<std::uint16_t> starts_, frequencies_, deep_image_, deep_values_;
    std::vector<Scale> scales_;
};

}  // namespace zarrmal
