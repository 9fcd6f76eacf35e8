#pragma once
/// Nothing: OpenSSL finds the engine by the functions that it names itself.
