// Stands in for zlib, of which Verilator's FST writer needs `compress2`: valid zlib streams of
// stored blocks. See lz4.h beside this file.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>

using Bytef = unsigned char;
using uLong = unsigned long;
using uLongf = unsigned long;
constexpr int Z_OK = 0;
constexpr int Z_BUF_ERROR = -5;

inline uLong compressBound(uLong size) { return size + 5 * (size / 65535 + 1) + 6; }

inline int compress2(Bytef* to, uLongf* room, const Bytef* from, uLong size, int) {
  if (*room < compressBound(size)) return Z_BUF_ERROR;
  Bytef* at = to;
  *at++ = 0x78;
  *at++ = 0x01;
  uint32_t a = 1, b = 0;  // Adler-32
  for (uLong i = 0; i < size; ++i) b = (b + (a = (a + from[i]) % 65521)) % 65521;
  uLong done = 0;
  do {
    const uLong block = size - done < 65535 ? size - done : 65535;
    *at++ = done + block == size;
    *at++ = Bytef(block);
    *at++ = Bytef(block >> 8);
    *at++ = Bytef(~block);
    *at++ = Bytef(~block >> 8);
    std::memcpy(at, from + done, block);
    at += block;
    done += block;
  } while (done < size);
  for (uint32_t word : {b, a}) {
    *at++ = Bytef(word >> 8);
    *at++ = Bytef(word);
  }
  *room = uLongf(at - to);
  return Z_OK;
}
