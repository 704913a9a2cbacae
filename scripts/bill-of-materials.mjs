import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './npm-packages.mjs';

/** @typedef {{ 'bom-ref': string, name: string, version: string, scope?: string, properties: { name: string }[] }} Component */

const development = 'cdx:npm:package:development';

/**
 * Lists the contents of the packages as CycloneDX: their dependencies, and the packages that are bundled with the
 * server and the client. Replaces the random number and the time that npm writes, so that the list is reproducible.
 * @param {number} made the time in Unix seconds
 * @returns {{ serialNumber: string, components: Component[] }}
 */
export function billOfMaterials(made) {
  const form = ['--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'];
  const bill = JSON.parse(execFileSync('npm', ['sbom', ...form], { cwd: root, encoding: 'utf8' }));
  bill.metadata.timestamp = new Date(made * 1000).toISOString();
  delete bill.serialNumber;
  const built = bundled();
  for (const one of [bill.metadata.component, ...bill.components]) {
    // npm names the project and a workspace after its folder, and `php-session` is another package.
    one.name = one['bom-ref'].replace(/@[^@]*$/, '');
  }
  bill.components = bill.components.filter((/** @type {Component} */ one) => {
    const isTool = one.properties.some(({ name }) => name === development);
    if (isTool && built.has(one['bom-ref'])) {
      one.scope = 'required';
      one.properties = one.properties.filter(({ name }) => name !== development);
    }
    return !isTool || built.has(one['bom-ref']);
  });
  const own = bill.metadata.component['bom-ref'];
  const there = new Set([own, ...bill.components.map((/** @type {Component} */ one) => one['bom-ref'])]);
  bill.dependencies = bill.dependencies
    .filter((/** @type {{ ref: string }} */ { ref }) => there.has(ref))
    .map((/** @type {{ ref: string, dependsOn: string[] }} */ { ref, dependsOn }) => ({
      ref,
      dependsOn: dependsOn.filter((one) => there.has(one)),
    }));
  // A UUID (version 8) derived from the content.
  const hash = createHash('sha256').update(JSON.stringify(bill)).digest('hex');
  const [, ...parts] = /^(.{8})(.{4}).(.{3}).(.{3})(.{12})/.exec(hash) ?? [];
  const [a, b, c, d, e] = parts;
  bill.serialNumber = `urn:uuid:${a}-${b}-8${c}-8${d}-${e}`;
  return bill;
}

/** Returns the packages whose code is in the bundles of `npm pack`. */
function bundled() {
  /** @type {{ name: string, version: string }[]} */
  const list = ['client/dist', 'server'].flatMap((folder) =>
    JSON.parse(readFileSync(join(root, 'dist', folder, 'licenses.json'), 'utf8')),
  );
  return new Set(list.map(({ name, version }) => `${name}@${version}`));
}
