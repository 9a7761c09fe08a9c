// Random flips, crops and cut-outs of images while they are loaded.
#pragma once

#include <cstdint>
#include <optional>

#include "operations.h"

namespace specbp {

// What happens to the images of the next steps; `specbp.datasets.augmentation`.
struct Augmentation {
  std::optional<Tensor> places;  // int64 [steps, batch, 5]
  std::optional<Tensor> levels;  // uint8 [channels]: the mean colour
  int64_t crop = 0, cutout = 0, taken = 0;

  // Steps load their samples in the order of `places`.
  void apply(
      const uint8_t* from, uint8_t* to, int64_t channels, int64_t height, int64_t width) {
    const int64_t* place = static_cast<const int64_t*>(places->data_ptr()) + 5 * taken++;
    const auto* fill = static_cast<const uint8_t*>(levels->data_ptr());
    const int64_t first_row = place[3] - cutout / 2, first_column = place[4] - cutout / 2;
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t y = 0; y < height; ++y) {
        const int64_t row = y + place[1] - crop;
        const bool is_cut_row = y >= first_row && y < first_row + cutout;
        for (int64_t x = 0; x < width; ++x) {
          const int64_t column = x + place[2] - crop;
          const bool inside = row >= 0 && row < height && column >= 0 && column < width;
          const int64_t source = place[0] ? width - 1 - column : column;
          const bool is_cut = is_cut_row && x >= first_column && x < first_column + cutout;
          *to++ = is_cut ? fill[c] : inside ? from[(c * height + row) * width + source] : 0;
        }
      }
    }
  }
};

}  // namespace specbp
