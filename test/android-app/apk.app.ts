import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { soak } from '../guarantees/size.ts';

/** `npm run android:app:test` writes the APK in the soak run. */
const root = new URL('../..', import.meta.url).pathname;
const apk = join(root, 'android/app/out/chat.apk');

const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

if (soak) {
  test('the APK declares its versions, and no permission that the app does not use', () => {
    const badging = run('aapt', 'dump', 'badging', apk);
    const values = (key: string) =>
      [...badging.matchAll(new RegExp(`^${key}:(?: name=)?'([^']*)'`, 'gm'))].map(([, value]) => value);
    expect(values('package')).toEqual(['io.github.phpsessionchat.app']);
    expect(badging).toContain("versionCode='1' versionName='0.1.0'");
    expect(values('sdkVersion')).toEqual(['26']);
    expect(values('targetSdkVersion')).toEqual(['35']);
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
    run('zipalign', '-c', '-p', '4', apk);
    expect(statSync(apk).size).toBeLessThan(8_000_000);
  });
}
