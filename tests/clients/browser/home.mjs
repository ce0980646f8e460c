// A home directory with the authorities that its owner's browser believes, beside those it is delivered with.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export class Home {
  /** @param {string} path */
  constructor(path) {
    this.path = path;
  }

  /**
   * Makes one whose NSS database holds the authority in that file, and no other.
   *
   * @param {string} authority
   */
  static async trusting(authority) {
    const home = new Home(await mkdtemp(join(tmpdir(), "campanile-home-")));
    const database = join(home.path, ".pki", "nssdb");
    await mkdir(database, { recursive: true });
    /** @param {string[]} command */
    const certutil = (...command) => promisify(execFile)("certutil", ["-d", `sql:${database}`, ...command]);
    await certutil("-N", "--empty-password");
    // C: it may issue certificates of servers, and nothing else.
    await certutil("-A", "-t", "C,,", "-n", "authority", "-i", authority);
    return home;
  }

  async remove() {
    await rm(this.path, { recursive: true, force: true });
  }
}
