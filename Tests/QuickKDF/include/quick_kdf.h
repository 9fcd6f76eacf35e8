#pragma once

/// Whether keys are derived at their true cost here; the tests have it (`TrueCost.swift`), a program has not.
__attribute__((weak)) int coffer_derives_at_true_cost(void);
