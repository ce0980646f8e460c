// A short run on a bad network. The long one is `npm run chaos`.

import { test } from "node:test";
import { chaos } from "../chaos_run.mjs";
import { skip } from "./place.mjs";

test("40 reconnects on a bad network", { skip, timeout: 300_000 }, (t) => chaos(t, 7, 40));
