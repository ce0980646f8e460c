// A page whose bell has a client of its own.

import { define } from "../../src/bell.js";

define();
