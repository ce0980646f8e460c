// A page whose bell has a client of its own.

import "../../src/index.js";
