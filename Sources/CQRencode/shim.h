/* libqrencode: the modules of a QR symbol for given bytes. No shims: its functions are called as they are. */
#include <qrencode.h>
