import { readConfiguration } from '../../server/session/configuration/configuration.ts';

const { pathname: small } = new URL('php-answers.php', import.meta.url);
let timer: NodeJS.Timeout | undefined;
let asked = 0;

/**
 * Keeps the thread that reads configurations, which ends when it is idle for half a second: the next test would start
 * another one, which takes ten times as long as to read a site.
 */
export function keepReader(): void {
  asked = performance.now();
  timer ??= setInterval(() => {
    if (performance.now() - asked < 5000) return void readConfiguration(small).catch(() => {});
    clearInterval(timer);
    timer = undefined;
  }, 300).unref();
}
