import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { soak } from '../guarantees/size.ts';

/** `npm run android:app:test` writes the APK and the bundle in the soak run. */
const root = fileURLToPath(new URL('../..', import.meta.url));
const apk = join(root, 'android/app/out/chat.apk');
const bundle = join(root, 'android/app/out/chat.aab');

const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

/** Returns where the content of each uncompressed file of a ZIP begins. */
function stored(zip: string): Map<string, number> {
  const bytes = readFileSync(zip);
  const found = new Map<string, number>();
  const directory = bytes.readUInt32LE(bytes.lastIndexOf('PK\x05\x06') + 16);
  for (let at = directory; bytes.readUInt32LE(at) === 0x02014b50; ) {
    const [nameLength, extra, comment] = [28, 30, 32].map((n) => bytes.readUInt16LE(at + n)) as [
      number,
      number,
      number,
    ];
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength);
    const header = bytes.readUInt32LE(at + 42);
    const start = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
    if (bytes.readUInt16LE(at + 10) === 0) found.set(name, start);
    at += 46 + nameLength + extra + comment;
  }
  return found;
}

if (soak) {
  test('the APK declares its versions, and no permission that the app does not use', () => {
    const badging = run('aapt', 'dump', 'badging', apk);
    const values = (key: string) =>
      [...badging.matchAll(new RegExp(`^${key}:(?: name=)?'([^']*)'`, 'gm'))].map(([, value]) => value);
    expect(values('package')).toEqual(['io.github.phpsessionchat.app']);
    expect(badging).toContain("versionCode='1' versionName='0.1.0'");
    expect(values('sdkVersion')).toEqual(['26']);
    expect(values('targetSdkVersion')).toEqual(['36']);
    expect(values('launchable-activity')).toEqual(['io.github.phpsessionchat.app.MainActivity']);
    expect(values('uses-permission').sort()).toEqual([
      'android.permission.ACCESS_NETWORK_STATE',
      'android.permission.INTERNET',
      'android.permission.RECORD_AUDIO',
      // Created by AndroidX for the app itself.
      'io.github.phpsessionchat.app.DYNAMIC_RECEIVER_NOT_EXPORTED_PERMISSION',
    ]);
  });

  test('the APK is signed, aligned and smaller than 8 MB', () => {
    const signature = run('apksigner', 'verify', '--verbose', apk);
    expect(signature).toContain('Verified using v2 scheme (APK Signature Scheme v2): true');
    expect(signature).toContain('Verified using v3 scheme (APK Signature Scheme v3): true');
    // Devices with pages of 16 KB load a library only if it begins at one.
    const libraries = [...stored(apk)].filter(([name]) => name.endsWith('.so'));
    expect(libraries).toHaveLength(4);
    for (const [name, offset] of libraries) expect([name, offset % 16_384]).toEqual([name, 0]);
    expect((stored(apk).get('resources.arsc') ?? 1) % 4).toBe(0);
    expect(statSync(apk).size).toBeLessThan(8_000_000);
  });

  test('the bundle has the parts that a store expects', () => {
    const names = run('jar', '--list', '--file', bundle).trim().split('\n');
    expect(names).toEqual(
      expect.arrayContaining([
        'BundleConfig.pb',
        'base/manifest/AndroidManifest.xml',
        'base/resources.pb',
        'base/dex/classes.dex',
        'base/lib/arm64-v8a/libandroidx.graphics.path.so',
      ]),
    );
  });
}
