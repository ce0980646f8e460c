// The long run: a thousand reconnects. `CAMPANILE_BIN` is the server; `CHAOS_SEED` and `CHAOS_RECONNECTS` change the run.

import { test } from "node:test";
import { chaos } from "./chaos_run.mjs";

const SEED = Number(process.env.CHAOS_SEED ?? 1);
const RECONNECTS = Number(process.env.CHAOS_RECONNECTS ?? 1_000);

test(`${RECONNECTS} reconnects of seed ${SEED}`, { timeout: 1_800_000 }, (t) => chaos(t, SEED, RECONNECTS));
