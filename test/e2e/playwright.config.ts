import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: '.',
  testMatch: '*.e2e.ts',
  outputDir: '../../test-results/e2e',
  globalSetup: ['./build-client.ts', '../helpers/make-bundles.ts'],
  fullyParallel: true,
  forbidOnly: true,
  // Another test shows the same at another size or by another way. `npm run test:soak` runs these too.
  ...(process.env.SOAK === undefined && { grepInvert: /@soak/ }),
  workers: 4,
  // It ends a test that hangs. The machine decides how long one takes: a step that fails ends it long before.
  timeout: 180_000,
  expect: { timeout: 10_000 },
  reporter: [['list']],
  use: {
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    colorScheme: 'light',
    // Measurements must not meet an animation half-way.
    contextOptions: { reducedMotion: 'reduce' },
    // A trace of each test takes a fifth of the time: `npm run test:e2e -- --trace retain-on-failure` makes them.
    screenshot: 'only-on-failure',
    launchOptions: {
      // Chromium without the parts that only a window has: an eighth less CPU.
      executablePath: '/usr/bin/chromium-headless-shell',
      args: [
        // Pages are small and live for seconds: threads that help to collect their garbage cost more than they save.
        '--js-flags=--max-lazy --single-threaded-gc',
        // Chromium refuses to run as root with its sandbox.
        '--no-sandbox',
        // A page whose headers a test has changed would count as one from the internet. A spare process for the next page
        // is a twentieth of the CPU.
        '--disable-features=LocalNetworkAccessChecks,SpareRendererForSitePerProcess',
        // Saves two processes, a tenth of the CPU. The first feature is Playwright's own option.
        '--in-process-gpu',
        '--enable-features=CDPScreenshotNewSurface,NetworkServiceInProcess2',
        // A host that the browser does not count as this machine.
        '--host-resolver-rules=MAP shop.example 127.0.0.1',
        '--disable-quic',
        '--disable-background-networking',
        '--disable-component-update',
        '--no-first-run',
        // A microphone that beeps, allowed to each page whose headers allow it: this Chromium cannot ask for it.
        '--use-fake-device-for-media-stream',
        '--use-fake-ui-for-media-stream',
      ],
    },
  },
});
