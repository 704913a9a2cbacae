import { join } from 'node:path';
import { Problem } from './command.mjs';
import { root } from './npm-packages.mjs';
import { runQuietly } from './quiet.mjs';

/**
 * Packs the chart into a reproducible file, in the format of `helm package`.
 * @param {string} file
 */
export async function packChart(file) {
  const { SOURCE_DATE_EPOCH = '0' } = process.env;
  const same = ['--sort=name', `--mtime=@${SOURCE_DATE_EPOCH}`, '--mode=u=rwX,go=rX'];
  const owner = ['--owner=0', '--group=0', '--numeric-owner'];
  const from = ['--directory', join(root, 'deploy'), '--transform=s,^helm,php-session-chat,', 'helm'];
  // Input from a pipe has no time, so gzip does not write one.
  const packed = await runQuietly('tar', [
    ...same,
    ...owner,
    '--use-compress-program=gzip',
    '-cf',
    file,
    ...from,
  ]);
  if (!packed.ok) throw new Problem(`The chart could not be packed:\n\n${packed.output}`);
}
