import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: '.',
  outputDir: '../../test-results/e2e',
  globalSetup: './build-client.ts',
  fullyParallel: true,
  forbidOnly: true,
  workers: 4,
  // It ends a test that hangs. The machine decides how long one takes: a step that fails ends it long before.
  timeout: 180_000,
  expect: { timeout: 10_000 },
  reporter: [['list']],
  // The pictures have one site for all, and so one worker, who would be the last to end: it begins.
  projects: [
    { name: 'pictures', testMatch: 'mock.e2e.ts' },
    { name: 'all others', testMatch: '*.e2e.ts', testIgnore: 'mock.e2e.ts' },
  ],
  use: {
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    colorScheme: 'light',
    // What is measured is where it stays: nothing is met half-way through an animation.
    contextOptions: { reducedMotion: 'reduce' },
    // A trace of each test costs a fifth of the time: `npm run test:e2e -- --trace retain-on-failure` makes them.
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: '/usr/bin/chromium',
      args: [
        // Chromium refuses to run as root with its sandbox.
        '--no-sandbox',
        // A page whose headers a test has changed counts as one from the internet; and for each person Chromium would
        // load two pages of its own, for its address bar, which nobody sees: a third of the CPU of a short test. A
        // process in stock for the next page is a twentieth.
        '--disable-features=LocalNetworkAccessChecks,WebUIOmniboxPopup,WebUIOmniboxAimPopup,SpareRendererForSitePerProcess',
        // Two processes less to talk to: a tenth of the CPU. The first feature is what Playwright asks for itself.
        '--in-process-gpu',
        '--enable-features=CDPScreenshotNewSurface,NetworkServiceInProcess2',
        '--disable-quic',
        '--disable-background-networking',
        '--disable-component-update',
        '--no-first-run',
      ],
    },
  },
});
