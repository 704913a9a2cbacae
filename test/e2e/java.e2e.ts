import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { startChild } from '../helpers/child.ts';
import { examined, expect, test } from './fixtures.ts';

const cli = fileURLToPath(new URL('../../android/sample-cli/target/chat-cli.jar', import.meta.url));

test('a browser and the Java client exchange messages after a login by the PHP form', {
  tag: '@soak',
}, async ({ site, alice }) => {
  const args = ['-jar', cli, 'bob', '--site', site.php.url, '--chat', site.chat.url, '--room', 'java'];
  const bob = startChild('java', args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const { stdin } = bob.process as ChildProcess & { stdin: NodeJS.WritableStream };
  await alice.open('java');
  await bob.until(/^\* java, /m);
  const texts = ['我十点到，带两箱育苗盆。', '👩‍🌾👍🏽', '<b>&amp;</b> "quotes" \\', 'grüße'];
  for (const [index, text] of texts.entries()) {
    if (index % 2 === 0) stdin.write(`${text}\n`);
    else await alice.write(text);
    await expect(alice.texts.nth(index)).toHaveJSProperty('textContent', text);
    const author = index % 2 === 0 ? 'Bob' : 'Alice';
    await bob.until(new RegExp(`^${index + 1}  ${author}: ${RegExp.escape(text)}$`, 'm'));
  }
  const folder = mkdtempSync(join(tmpdir(), 'chat-cli-'));
  const tree = join(folder, 'tree.png');
  await sharp({ create: { width: 60, height: 40, channels: 3, background: 'teal' } })
    .png()
    .toFile(tree);
  // The mention uses Alice's ID on the sample site.
  stdin.write(`/mention 1 look\n/file ${tree} a tree\n`);
  await expect(alice.texts.nth(texts.length)).toHaveJSProperty('textContent', '@Alice look');
  await expect(alice.page.getByRole('button', { name: 'a tree' })).toBeVisible(examined);
  await bob.until(/^6 {2}Bob: {2}\[tree\.png, \d+ bytes: a tree\]$/m);
  stdin.write(`/save 6 ${folder}\n/react 6 🌳\n`);
  await bob.until(/^\* tree\.png is in /m);
  await expect(alice.page.getByRole('button', { name: /🌳/ })).toBeVisible();
  rmSync(folder, { recursive: true });
  await alice.shot('java');
  stdin.write('/quit\n');
  await new Promise((resolve) => bob.process.once('close', resolve));
  expect(bob.process.exitCode).toBe(0);
});
