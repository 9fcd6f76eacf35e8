#pragma once
/// Nothing: it is called by the signal alone.
