#include "synth/vocabulary.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace vl3::synth {
namespace {

constexpr std::array<std::string_view, kShapes> kShapeNames{"circle",    "square", "triangle", "star",
                                                            "rectangle", "cross",  "pentagon", "heart"};
constexpr std::array<std::string_view, kColours> kColourNames{
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray"};
constexpr std::array<std::string_view, kDirections> kDirectionNames{"left", "right", "up", "down"};
constexpr std::array<std::string_view, 13> kNumberWords{"zero", "one",    "two",   "three", "four",
                                                        "five", "six",    "seven", "eight", "nine",
                                                        "ten",  "eleven", "twelve"};

// The named colours of CSS (what other drawing programs mean by these words) first, then what people would
// also call so.
constexpr std::array<std::array<Rgb, 5>, kColours> kPrototypes{{
    {{{255, 0, 0}, {220, 20, 60}, {230, 40, 40}, {235, 15, 20}, {255, 40, 20}}},              // red
    {{{255, 165, 0}, {255, 140, 0}, {245, 130, 32}, {255, 127, 14}, {250, 150, 40}}},         // orange
    {{{255, 255, 0}, {255, 225, 25}, {250, 235, 60}, {255, 215, 0}, {240, 230, 20}}},         // yellow
    {{{0, 128, 0}, {0, 255, 0}, {50, 205, 50}, {34, 139, 34}, {60, 180, 75}}},                // green
    {{{0, 0, 255}, {30, 80, 220}, {65, 105, 225}, {0, 0, 180}, {30, 144, 255}}},              // blue
    {{{128, 0, 128}, {138, 43, 226}, {148, 0, 211}, {110, 40, 150}, {155, 60, 190}}},         // purple
    {{{255, 192, 203}, {255, 105, 180}, {255, 130, 190}, {250, 160, 200}, {255, 182, 193}}},  // pink
    {{{165, 42, 42}, {139, 69, 19}, {120, 70, 30}, {150, 75, 0}, {101, 67, 33}}},             // brown
    {{{0, 0, 0}, {15, 15, 15}, {25, 25, 28}, {10, 10, 20}, {30, 30, 30}}},                    // black
    {{{255, 255, 255}, {250, 250, 250}, {245, 245, 240}, {255, 255, 250}, {240, 240, 245}}},  // white
    {{{128, 128, 128}, {150, 150, 150}, {110, 110, 110}, {169, 169, 169}, {135, 140, 145}}},  // gray
}};
constexpr std::array<int, kColours> kJitter{10, 8, 10, 14, 14, 10, 8, 8, 6, 5, 8};

constexpr std::string_view kWords[] = {
    "apple",   "arrow",   "autumn",  "baker",   "balloon", "banana", "basket",  "beach",  "bear",
    "bell",    "berry",   "bird",    "blanket", "boat",    "bone",   "book",    "bottle", "bowl",
    "box",     "branch",  "bread",   "bridge",  "brush",   "bucket", "bus",     "butter", "button",
    "cable",   "cake",    "camera",  "candle",  "card",    "carpet", "carrot",  "castle", "cat",
    "chain",   "chair",   "cheese",  "cherry",  "chicken", "city",   "clock",   "cloud",  "coast",
    "coat",    "coffee",  "coin",    "copper",  "corn",    "cotton", "cow",     "crab",   "cream",
    "crown",   "cup",     "curtain", "dance",   "desert",  "desk",   "doctor",  "dog",    "door",
    "dragon",  "dream",   "drum",    "duck",    "eagle",   "earth",  "engine",  "exit",   "farm",
    "feather", "fence",   "field",   "finger",  "fire",    "fish",   "flag",    "flower", "forest",
    "fork",    "fox",     "friend",  "frog",    "fruit",   "garden", "garlic",  "gate",   "giant",
    "glass",   "glove",   "goat",    "gold",    "grape",   "grass",  "guitar",  "hammer", "harbor",
    "hat",     "hello",   "hill",    "honey",   "horse",   "hotel",  "house",   "ice",    "island",
    "jacket",  "jam",     "jelly",   "jewel",   "jungle",  "kettle", "key",     "king",   "kitchen",
    "kite",    "knife",   "ladder",  "lake",    "lamp",    "leaf",   "lemon",   "letter", "library",
    "light",   "lion",    "lizard",  "lock",    "machine", "magnet", "mango",   "map",    "market",
    "melon",   "milk",    "mirror",  "money",   "monkey",  "moon",   "morning", "motor",  "mountain",
    "mouse",   "museum",  "music",   "nail",    "needle",  "nest",   "night",   "north",  "nurse",
    "ocean",   "office",  "oil",     "olive",   "onion",   "open",   "orchard", "oven",   "owl",
    "paint",   "palace",  "panda",   "paper",   "park",    "parrot", "peach",   "pencil", "pepper",
    "piano",   "picture", "pillow",  "pilot",   "pine",    "pizza",  "planet",  "plate",  "plum",
    "pocket",  "poem",    "pond",    "potato",  "present", "prince", "puzzle",  "queen",  "rabbit",
    "radio",   "rain",    "ribbon",  "rice",    "ring",    "river",  "road",    "robot",  "rocket",
    "roof",    "room",    "rope",    "rose",    "ruler",   "salad",  "salt",    "sand",   "school",
    "scissor", "sea",     "season",  "seed",    "shadow",  "sheep",  "shell",   "ship",   "shirt",
    "shoe",    "shop",    "silver",  "sister",  "sky",     "smoke",  "snail",   "snow",   "soap",
    "sock",    "south",   "spider",  "spoon",   "spring",  "stone",  "stop",    "storm",  "street",
    "sugar",   "summer",  "sun",     "sweet",   "table",   "tea",    "teacher", "temple", "tent",
    "thunder", "ticket",  "tiger",   "tomato",  "tooth",   "tower",  "town",    "train",  "tree",
    "tunnel",  "turtle",  "uncle",   "valley",  "village", "violin", "voice",   "wagon",  "walnut",
    "water",   "wheel",   "whale",   "wind",    "window",  "winter", "wolf",    "wood",   "world",
    "yard",    "zebra",   "zoo",     "welcome", "sale",    "closed", "danger",  "today",  "news",
    "west",    "east",    "help",    "start",   "end",     "press"};

constexpr std::string_view kFirstNames[] = {
    "Anna",  "Ben",  "Carla", "David", "Emma",  "Felix", "Grace", "Hugo", "Iris",  "Jack",
    "Karen", "Leo",  "Maria", "Noah",  "Olga",  "Peter", "Rosa",  "Sam",  "Tina",  "Victor",
    "Wendy", "Zoe",  "Adam",  "Clara", "Daisy", "Eric",  "Helen", "Ivan", "Julia", "Kevin",
    "Laura", "Mark", "Nina",  "Oscar", "Paula", "Ralph", "Sara",  "Tom",  "Uma",   "Yara"};

// Pieces of coined words, as English has them.
constexpr std::string_view kOnsets[] = {
    "b",  "bl", "br", "c",  "ch", "cl", "cr", "d",  "dr", "f",  "fl", "fr", "g",  "gl", "gr", "h",
    "j",  "k",  "l",  "m",  "n",  "p",  "ph", "pl", "pr", "qu", "r",  "s",  "sc", "sh", "sk", "sl",
    "sm", "sn", "sp", "st", "sw", "t",  "th", "tr", "tw", "v",  "w",  "wh", "x",  "y",  "z"};
constexpr std::string_view kVowels[] = {"a", "e", "i", "o",  "u",  "a",  "e",  "i",
                                        "o", "u", "y", "ai", "ea", "ee", "oo", "ou"};
constexpr std::string_view kCodas[] = {"",  "",  "",  "b",  "ck", "d",  "f",  "g", "k",  "l",  "ll", "m",
                                       "n", "p", "r", "rt", "s",  "ss", "st", "t", "th", "ng", "nd", "x"};

uint8_t shift(int value, int by) { return static_cast<uint8_t>(std::clamp(value + by, 0, 255)); }

// Three to eight letters that can be pronounced and mean nothing. A reader who has only met the few hundred
// words of words() guesses them from two letters; these have to be read.
std::string coin_word(Rng& rng, Split split) {
  while (true) {
    std::string word;
    for (int syllables = rng.between(1, 3); syllables > 0; --syllables) {
      if (!word.empty() || rng.chance(0.85)) word += rng.pick(kOnsets);
      word += rng.pick(kVowels);
      word += rng.pick(kCodas);
    }
    if (word.size() < 3 || word.size() > 8) continue;
    if (split == Split::kAll || is_heldout(word) == (split == Split::kHeldout)) return word;
  }
}

}  // namespace

std::string_view name_of(Shape shape) { return kShapeNames[static_cast<size_t>(shape)]; }
std::string_view name_of(Colour colour) { return kColourNames[static_cast<size_t>(colour)]; }
std::string_view name_of(Direction direction) { return kDirectionNames[static_cast<size_t>(direction)]; }

std::string plural_of(Shape shape) {
  return std::string(name_of(shape)) + (shape == Shape::kCross ? "es" : "s");
}

std::string number_word(int number) {
  return number >= 0 && number <= kMaxNumber ? std::string(kNumberWords[static_cast<size_t>(number)])
                                             : std::to_string(number);
}

std::string_view article_of(std::string_view word) {
  return !word.empty() && std::string_view("aeiouAEIOU").find(word[0]) != std::string_view::npos ? "an" : "a";
}

Rgb shade_of(Colour colour, Rng& rng, double jitter) {
  const auto& prototypes = kPrototypes[static_cast<size_t>(colour)];
  const Rgb base = prototypes[static_cast<size_t>(rng.chance(0.3) ? 0 : rng.below(5))];
  const int most = static_cast<int>(kJitter[static_cast<size_t>(colour)] * jitter);
  if (colour == Colour::kGray || colour == Colour::kBlack || colour == Colour::kWhite) {
    const int by = rng.between(-most, most);  // all channels alike, or it would not be neutral
    return {shift(base.r, by), shift(base.g, by), shift(base.b, by)};
  }
  return {shift(base.r, rng.between(-most, most)), shift(base.g, rng.between(-most, most)),
          shift(base.b, rng.between(-most, most))};
}

double distance(Rgb a, Rgb b) {
  // "Redmean", a cheap approximation of perceived difference.
  const double mean = (a.r + b.r) / 2.0, red = a.r - b.r, green = a.g - b.g, blue = a.b - b.b;
  return std::sqrt((2 + mean / 256) * red * red + 4 * green * green + (2 + (255 - mean) / 256) * blue * blue);
}

std::string_view name_of(Split split) {
  return split == Split::kTrain ? "train" : split == Split::kHeldout ? "heldout" : "all";
}

bool is_heldout(Colour colour, Shape shape) {
  return (static_cast<int>(colour) * 5 + 3) % kShapes == static_cast<int>(shape);
}
bool is_heldout(Colour colour, Direction direction) {
  return (static_cast<int>(colour) * 3 + 1) % kDirections == static_cast<int>(direction);
}
bool is_heldout(std::string_view text) {
  if (text.size() < 3) return false;
  std::string lower(text);  // "Bridge" and "bridge" are one string
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return hash_text(lower, 0x5e1d) % 10 == 0;
}

bool allowed(ColouredShape pair, Split split) {
  return split != Split::kTrain || !is_heldout(pair.colour, pair.shape);
}

ColouredShape pick_pair(Rng& rng, Split split, bool novel) {
  while (true) {
    const ColouredShape pair{static_cast<Colour>(rng.below(kColours)),
                             static_cast<Shape>(rng.below(kShapes))};
    if (!allowed(pair, split)) continue;
    if (split == Split::kHeldout && novel && !is_heldout(pair.colour, pair.shape)) continue;
    return pair;
  }
}

std::span<const std::string_view> words() { return kWords; }
std::span<const std::string_view> first_names() { return kFirstNames; }

std::string pick_word(Rng& rng, Split split) {
  if (split != Split::kHeldout && rng.chance(0.6)) return coin_word(rng, split);
  while (true) {
    const std::string_view word = rng.pick(words());
    if (split == Split::kAll || is_heldout(word) == (split == Split::kHeldout)) return std::string(word);
  }
}

std::string pick_string(Rng& rng, Split split, int length, Alphabet alphabet) {
  constexpr std::string_view digits = "0123456789", capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr std::string_view small = "abcdefghijklmnopqrstuvwxyz";
  const std::string_view any = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyz";
  const std::string_view letters = alphabet == Alphabet::kDigits     ? digits
                                   : alphabet == Alphabet::kCapitals ? capitals
                                   : alphabet == Alphabet::kSmall    ? small
                                   : alphabet == Alphabet::kMixed    ? any
                                                                     : any.substr(0, 36);
  VL3_DCHECK(length >= 1);
  std::string text(static_cast<size_t>(length), ' ');
  while (true) {
    for (char& c : text) c = rng.pick(letters);
    if (length > 1 && alphabet == Alphabet::kDigits && text[0] == '0') continue;  // as numbers are written
    if (length < 3 || split == Split::kAll || is_heldout(text) == (split == Split::kHeldout)) return text;
  }
}

}  // namespace vl3::synth
