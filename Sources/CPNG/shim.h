/* libpng: reads and writes PNG. No shims: the functions of its simplified interface are called as they are. */
#include <png.h>
