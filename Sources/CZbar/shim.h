/* zbar: finds and reads QR symbols in a picture of grey values. No shims: its functions are called as they are. */
#include <zbar.h>
