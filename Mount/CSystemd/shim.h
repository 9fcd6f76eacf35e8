#pragma once
/// sd-bus(3): messages are built and read value by value (sd_bus_message_append_basic(3)), since Swift cannot
/// call the variadic functions. sd-login(3): when sessions change.
#include <systemd/sd-bus.h>
#include <systemd/sd-login.h>
