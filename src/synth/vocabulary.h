// The words the generator speaks: shapes, colours, directions, numbers, words and strings, and which
// combinations of them are held out of the train split. Pure functions, thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "synth/rng.h"

namespace vl3::synth {

enum class Shape { kCircle, kSquare, kTriangle, kStar, kRectangle, kCross, kPentagon, kHeart };
enum class Colour { kRed, kOrange, kYellow, kGreen, kBlue, kPurple, kPink, kBrown, kBlack, kWhite, kGray };
enum class Direction { kLeft, kRight, kUp, kDown };

inline constexpr int kShapes = 8, kColours = 11, kDirections = 4;
/// Numbers in answers about pictures go from 0 to this.
inline constexpr int kMaxNumber = 12;

std::string_view name_of(Shape shape);
std::string_view name_of(Colour colour);
std::string_view name_of(Direction direction);
std::string plural_of(Shape shape);  ///< "crosses"
/// "two" … "twelve"; the digits above that.
std::string number_word(int number);
/// "a" or "an", as the word after it wants.
std::string_view article_of(std::string_view word);

struct Rgb {
  uint8_t r = 0, g = 0, b = 0;
  bool operator==(const Rgb&) const = default;
};

/// A colour that people call by this name: one of several prototypes, a little off. jitter 0: the prototype.
Rgb shade_of(Colour colour, Rng& rng, double jitter = 1.0);
/// How different two colours look, 0 … about 765 (black to white). Above 110 a shape is plain to see.
double distance(Rgb a, Rgb b);

/// What a sample may contain. Train and heldout are disjoint in (colour, shape) pairs, in (colour, direction)
/// pairs and in strings of three characters and more; all knows no such rule. What text.copy has repeated may
/// name any (colour, shape) pair: only its sight is held out.
enum class Split { kTrain, kHeldout, kAll };
std::string_view name_of(Split split);

bool is_heldout(Colour colour, Shape shape);  ///< 11 of the 88 pairs: every colour and every shape has one
bool is_heldout(Colour colour, Direction direction);  ///< 11 of the 44 pairs
bool is_heldout(std::string_view text);  ///< a tenth of the strings of three characters and more, by hash

/// A pair that the split allows. In the held-out split `novel` asks for a held-out pair; otherwise any.
struct ColouredShape {
  Colour colour = Colour::kRed;
  Shape shape = Shape::kCircle;
  bool operator==(const ColouredShape&) const = default;
};
ColouredShape pick_pair(Rng& rng, Split split, bool novel);
bool allowed(ColouredShape pair, Split split);

/// English words of 3 to 8 letters, names, and what else documents hold.
std::span<const std::string_view> words();
std::span<const std::string_view> first_names();

/// A word that the split allows. Held-out: one of the held-out words of words(); otherwise three in five are
/// coined (pronounceable, without meaning), so that print has to be read and can't be guessed.
std::string pick_word(Rng& rng, Split split);
/// `length` characters of capitals and digits, or (lower) small letters; obeys the split from three
/// characters on.
enum class Alphabet { kCapitals, kDigits, kCapitalsAndDigits, kSmall, kMixed };
std::string pick_string(Rng& rng, Split split, int length, Alphabet alphabet);

}  // namespace vl3::synth
