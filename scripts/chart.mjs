import { join } from 'node:path';
import { Problem } from './command.mjs';
import { root } from './npm-packages.mjs';
import { runQuietly } from './quiet.mjs';

/**
 * Makes the chart a file, as `helm package` does: the same input makes the same bytes if the environment has a
 * SOURCE_DATE_EPOCH.
 * @param {string} file
 */
export async function packChart(file) {
  const { SOURCE_DATE_EPOCH = '0' } = process.env;
  const same = ['--sort=name', `--mtime=@${SOURCE_DATE_EPOCH}`, '--mode=u=rwX,go=rX'];
  const owner = ['--owner=0', '--group=0', '--numeric-owner'];
  const from = ['--directory', join(root, 'deploy'), '--transform=s,^helm,php-session-chat,', 'helm'];
  // gzip writes no time of what comes through a pipe.
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
