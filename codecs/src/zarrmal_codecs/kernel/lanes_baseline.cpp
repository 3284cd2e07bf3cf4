// The level that every machine of an architecture runs. ZARRMAL_PLAIN selects the portable
// operations even where SSE2 is there, to test them.
#include "levels.h"
#include "walk.h"

#if !defined(ZARRMAL_PLAIN) && (defined(__SSE2__) || defined(_M_X64))
#include "ops_sse2.h"
using Baseline = zarrmal::Sse2;
#else
#include "ops_plain.h"
using Baseline = zarrmal::Plain;
#endif

namespace zarrmal {
Level level_baseline() { return make_level<Baseline>("baseline"); }
}  // namespace zarrmal
