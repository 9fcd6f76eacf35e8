/* TurboJPEG: reads JPEG. No shims: its functions are called as they are. */
#include <turbojpeg.h>
