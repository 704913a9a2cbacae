import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { billOfMaterials } from './bill-of-materials.mjs';
import { packChart } from './chart.mjs';
import { Problem, runCommand } from './command.mjs';
import { architectures, makeDebianPackage } from './debian-package.mjs';
import { root, runtime } from './npm-packages.mjs';
import { runQuietly } from './quiet.mjs';

const out = join(root, 'release');
const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Builds all artefacts of this version reproducibly. */
async function release() {
  requireTranslations();
  // The umask determines the modes of files.
  process.umask(0o022);
  // By default, files in the packages have the time of the last commit.
  process.env.SOURCE_DATE_EPOCH ??= output('git', ['log', '-1', '--format=%ct']);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  const tarball = join(out, `${name}-${version}.tgz`);
  for (const folder of ['.', 'packages/php-session']) {
    const packed = await runQuietly('npm', ['pack', '--pack-destination', out], {
      cwd: join(root, folder),
      env: process.env,
    });
    if (!packed.ok) throw new Problem(`The npm package of ${folder} could not be built:\n\n${packed.output}`);
  }
  console.log('built the npm packages');
  for (const architecture of Object.keys(architectures)) {
    await makeDebianPackage(tarball, architecture, version, out);
    console.log(`built the Debian package for ${architecture}`);
  }
  await packChart(join(out, `${name}-chart-${version}.tgz`));
  cpSync(join(root, 'dist', `${name}.zip`), join(out, `${name}.zip`));
  const bill = billOfMaterials(Number(process.env.SOURCE_DATE_EPOCH));
  writeFileSync(join(out, `${name}-${version}.cdx.json`), `${JSON.stringify(bill, null, 2)}\n`);
  const sums = readdirSync(out)
    .sort()
    .map((file) => `${sha256(readFileSync(join(out, file)))}  ${file}\n`);
  writeFileSync(join(out, 'SHA256SUMS'), sums.join(''));
  console.log(sums.join(''));
  console.log(`To sign and publish them:\n${publishing.map((line) => `  ${line}\n`).join('')}`);
  return 0;
}

/** The commands to sign and publish the artefacts. `npm publish --dry-run` tries them. */
const publishing = [
  'cd release && sha256sum -c SHA256SUMS && gpg --armor --detach-sign SHA256SUMS',
  `npm publish ./php-sessions-${version}.tgz`,
  `npm publish ./${name}-${version}.tgz`,
  `git tag -s v${version} && git push origin v${version}`,
];

/** Fails if texts are not translated. Until a release, they are shown in English. */
function requireTranslations() {
  const missing = output(runtime().node, ['scripts/missing-texts.ts']);
  if (missing === '') return;
  throw new Problem(
    `These texts are not translated into the languages in brackets:\n\n${missing}\n\nFind where the chat shows each text, translate it with the words of client/README.md, commit all translations with screenshots, and run npm run release again.`,
  );
}

/** @param {string | Buffer} bytes */
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** @param {string} program @param {string[]} args */
const output = (program, args) =>
  execFileSync(program, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();

await runCommand(release);
