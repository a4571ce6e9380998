#include <zlib.h>

/* The init functions are macros, which Swift does not see. 16 + 15 window bits: gzip; 15: the zlib format, which
   gRPC calls deflate (github.com/grpc/grpc, doc/compression.md). */
static inline int CZlib_inflateInit(z_streamp stream, int windowBits) { return inflateInit2(stream, windowBits); }
static inline int CZlib_deflateInit(z_streamp stream, int windowBits) {
  return deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY);
}
