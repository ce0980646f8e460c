// A test authority and its certificate, for a server that speaks TLS.

import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { seconds, sign } from "./token.mjs";

const SCRIPT = fileURLToPath(new URL("../certificates.sh", import.meta.url));

export class Certificates {
  #directory = mkdtempSync(join(tmpdir(), "campanile-certificates-"));
  /** What a client trusts. */
  ca = "";

  #names;

  /** @param {string} names */
  constructor(names) {
    this.#names = names;
  }

  /**
   * Those of a new authority.
   *
   * @param {string} [names] what its certificates are for, as openssl writes it
   */
  static async make(names = "DNS:localhost,IP:127.0.0.1") {
    const certificates = new Certificates(names);
    await certificates.renew();
    certificates.ca = await readFile(certificates.#path("ca.pem"), "utf8");
    return certificates;
  }

  /** Puts another certificate of the same authority in the place of the present one. */
  async renew() {
    await promisify(execFile)(SCRIPT, [this.#directory, this.#names]);
  }

  /** The certificate in place. */
  async current() {
    return new X509Certificate(await readFile(this.#path("cert.pem")));
  }

  /** The file of what a client trusts. */
  get authority() {
    return this.#path("ca.pem");
  }

  /** The server's configuration. */
  get environment() {
    return {
      CAMPANILE_SERVER__TLS__CERT_FILE: this.#path("cert.pem"),
      CAMPANILE_SERVER__TLS__KEY_FILE: this.#path("key.pem"),
    };
  }

  /**
   * Publishes within TLS to everybody in `acme`, and expects 201.
   *
   * @param {string} address
   * @param {string} title
   * @returns {Promise<string>} the notification's id
   */
  publish(address, title) {
    const claims = { userId: "backend", workspaces: ["acme"], scope: "notifications:write" };
    const token = sign({ ...claims, exp: seconds() + 60 });
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    return new Promise((resolve, reject) => {
      const sent = request(address, { method: "POST", headers, ca: this.ca }, async (response) => {
        let text = "";
        for await (const piece of response.setEncoding("utf8")) text += piece;
        if (response.statusCode === 201) resolve(JSON.parse(text).id);
        else reject(new Error(`${response.statusCode}: ${text}`));
      });
      sent.once("error", reject);
      sent.end(JSON.stringify({ to: { workspace: true }, title, message: "A message" }));
    });
  }

  async remove() {
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** @param {string} name */
  #path(name) {
    return join(this.#directory, name);
  }
}
