import { defineConfig } from '@playwright/test';
import { hanging } from '../helpers/hanging.ts';

export default defineConfig({
  testDir: '.',
  testMatch: '*.e2e.ts',
  outputDir: '../../test-results/e2e',
  globalSetup: ['./build-client.ts', '../helpers/make-bundles.ts'],
  fullyParallel: true,
  forbidOnly: true,
  // Skips the tests with this tag, because other tests check the same at another size or in another way. `npm run
  // test:soak` also runs them.
  ...(process.env.SOAK === undefined && { grepInvert: /@soak/ }),
  workers: 4,
  // Ends hanging tests only. A failing step ends much earlier, and the duration depends on the machine.
  timeout: 180_000,
  expect: { timeout: 10_000 },
  reporter: [['list']],
  use: {
    // Without it, a click on what never appears waits for the end of the test.
    actionTimeout: hanging,
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    colorScheme: 'light',
    // Measurements must not see an animation half-way.
    contextOptions: { reducedMotion: 'reduce' },
    // Traces slow the tests down. `npm run test:e2e -- --trace retain-on-failure` creates them.
    screenshot: 'only-on-failure',
    launchOptions: {
      // Chromium without the parts for windows needs less CPU.
      executablePath: '/usr/bin/chromium-headless-shell',
      args: [
        // Pages are small and short-lived, so threads for garbage collection and optimised code cost more than they save.
        '--js-flags=--max-lazy --single-threaded-gc --no-opt --no-maglev',
        // Chromium does not run as root with its sandbox.
        '--no-sandbox',
        // With the first, a page with changed headers would count as one from the internet. The second would start a
        // spare process for the next page.
        '--disable-features=LocalNetworkAccessChecks,SpareRendererForSitePerProcess',
        // Saves two processes. Playwright enables the first feature itself, but this option replaces Playwright's.
        '--in-process-gpu',
        '--enable-features=CDPScreenshotNewSurface,NetworkServiceInProcess2',
        // A host that the browser does not treat as this machine.
        '--host-resolver-rules=MAP shop.example 127.0.0.1',
        '--disable-quic',
        '--disable-background-networking',
        '--disable-component-update',
        '--no-first-run',
        // A beeping microphone that every page may use if its headers allow it, because this Chromium cannot
        // ask.
        '--use-fake-device-for-media-stream',
        '--use-fake-ui-for-media-stream',
      ],
    },
  },
});
