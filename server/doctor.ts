import { parseArgs } from 'node:util';
import { ConfigError, readConfig } from './config.ts';
import { examine } from './session/doctor.ts';

const usage = 'npm run doctor -- [--cookie VALUE]';
/** EX_USAGE and EX_CONFIG of sysexits.h. */
const badUsage = 64;
const badConfiguration = 78;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { cookie: { type: 'string' } } });
  const { session } = readConfig(process.env);
  const { name } = session.cookie;
  // As it was copied: the value alone, or with the name.
  const given = values.cookie?.trim();
  const cookie = given === undefined || given.startsWith(`${name}=`) ? given : `${name}=${given}`;
  console.log('✓ The settings can be used.');
  let well = true;
  for await (const finding of examine(session, cookie)) {
    console.log(`${finding.well ? '✓' : '✗'} ${finding.text}`);
    if (finding.advice !== undefined) console.log(`  → ${finding.advice}`);
    well &&= finding.well;
  }
  if (values.cookie === undefined) {
    console.log(`To follow one session from the cookie to the user: ${usage}, with the value of ${name}
in the browser of somebody who is logged in.`);
  }
  return well ? 0 : 1;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const known =
      error instanceof ConfigError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
    if (!known) throw error;
    console.error(`✗ ${(error as Error).message}${error instanceof ConfigError ? '' : `\n  ${usage}`}`);
    process.exitCode = error instanceof ConfigError ? badConfiguration : badUsage;
  },
);
