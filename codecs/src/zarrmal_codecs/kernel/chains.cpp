#include "chains.h"

#include <algorithm>

namespace zarrmal {

namespace {

constexpr std::int64_t MOST_INPUT = 128, LEAST = -32768, MOST = 32767;

// Between what a sum may be; 0 is one of them.
struct Range {
    std::int64_t low = 0, high = 0;

    void add(const std::int8_t* pair) {
        for (int k = 0; k < 2; ++k) (pair[k] > 0 ? high : low) += MOST_INPUT * pair[k];
    }
    bool fits() const { return low >= LEAST && high <= MOST; }
};

// Four rows.
class Rows {
public:
    Rows(const std::int8_t* weight, std::size_t pairs, const ChainRow* rows)
        : weight_(weight), pairs_(pairs), rows_(rows) {}

    // The ends of chains; none where the first pair does not fit together with the starts.
    std::vector<std::size_t> ends(bool with_start) const {
        std::vector<std::size_t> ends;
        for (std::size_t from = 0; from < pairs_;) {
            Range sum[4];
            for (int r = 0; r < 4 && with_start && !from; ++r)
                sum[r] = {std::min(rows_[r].start, 0), std::max(rows_[r].start, 0)};
            std::size_t end = from;
            for (; end < pairs_; ++end) {
                for (int r = 0; r < 4; ++r) sum[r].add(pair(r, end));
                if (!std::all_of(sum, sum + 4, [](const Range& each) { return each.fits(); })) break;
            }
            if (end == from) return {};
            ends.push_back(from = end);
        }
        return ends;
    }

    bool are_narrow(const std::vector<std::size_t>& ends) const {
        if (ends.empty()) return false;
        const std::size_t later = ends.size() > 2 ? ends[1] : pairs_;
        for (int r = 0; r < 4; ++r) {
            const ChainRow& row = rows_[r];
            Range whole{row.start, row.start}, rest;
            for (std::size_t p = 0; p < pairs_; ++p) {
                whole.add(pair(r, p));
                if (p >= later) rest.add(pair(r, p));
            }
            const std::int64_t unit = std::int64_t{1} << row.shift;
            if (whole.high > MOST && MOST + rest.low < row.high * unit) return false;
            if (whole.low < LEAST && LEAST + rest.high >= (row.low + 1) * unit) return false;
        }
        return true;
    }

private:
    const std::int8_t* pair(int row, std::size_t p) const {
        return weight_ + (static_cast<std::size_t>(row) * pairs_ + p) * 2;
    }

    const std::int8_t* weight_;
    std::size_t pairs_;
    const ChainRow* rows_;
};

}  // namespace

std::vector<std::uint8_t> chain_ends(const std::int8_t* weight, std::size_t pairs,
                                     const std::vector<ChainRow>& rows) {
    std::vector<std::uint8_t> all;
    for (std::size_t row = 0; row < rows.size(); row += 4) {
        const Rows four(weight + row * pairs * 2, pairs, rows.data() + row);
        auto ends = four.ends(true);
        const bool narrow = four.are_narrow(ends);
        if (!narrow) ends = four.ends(false);
        all.push_back(narrow);
        ends.resize(pairs, pairs);
        for (const std::size_t end : ends) all.push_back(static_cast<std::uint8_t>(end));
    }
    return all;
}

}  // namespace zarrmal
