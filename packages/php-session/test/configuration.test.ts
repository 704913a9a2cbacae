import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { cpuOf, expectCpuBelow } from '../../../test/helpers/cpu.ts';
import { dice } from '../../../test/helpers/dice.ts';
import {
  type Configuration,
  ConfigurationError,
  readConfiguration,
} from '../src/configuration/configuration.ts';
import { parseEnv } from '../src/configuration/env.ts';
import { parseIni } from '../src/configuration/ini.ts';
import { readPhp } from '../src/configuration/php.ts';
import { type ConfigurationValue, isUnknown, rest } from '../src/configuration/value.ts';
import { readYamlScalar } from '../src/configuration/yaml.ts';
import { siteFolder } from '../src/logins/site-folder.ts';

const folder = mkdtempSync(join(tmpdir(), 'configuration-'));
afterAll(() => rmSync(folder, { recursive: true }));

function written(code: string, name = 'config.php'): string {
  writeFileSync(join(folder, name), code);
  return join(folder, name);
}

const read = (code: string, surroundings = {}) => readPhp(written(`<?php\n${code}`), surroundings);

/** Converts a value to plain data: an array to an object, and a value that only PHP knows to `UNKNOWN`. */
function plain(value: ConfigurationValue | undefined): unknown {
  if (isUnknown(value)) return 'UNKNOWN';
  return value instanceof Map
    ? Object.fromEntries([...value].map(([key, each]) => [`k${key}`, plain(each)]))
    : value;
}

/** Each line has a title, code that sets `$x`, and the value of `$x` as JSON. */
const rows = (lines: string): [string, string, unknown][] =>
  Array.from(lines.matchAll(/^ *([^:]+): (.*) ⇒ (.*)$/gm), ([, title = '', code = '', value = '']) => [
    title,
    code,
    JSON.parse(value),
  ]);

test.each(
  rows(String.raw`
  the first definition counts: define('X', 1); define('X', 2); $x = X; ⇒ 1
  comments: /* $x = 1; */ $x = 2; // $x = 3; # $x = 4; ⇒ 2
  const: const A = 'a', B = A . 'b'; $x = B; ⇒ "ab"
  names of classes: use A\B as C, D\E; $x = C::class . ' ' . E::class . ' ' . F\G::class . ' ' . \C::class; ⇒ "A\\B D\\E F\\G C"
  guards: defined('A') or define('A', 1); defined('A') || define('A', 2); if (!defined('A')) define('A', 3); $x = A; ⇒ 1
  functions that are called, with variables of their own: $x = 1; $y = 2; (static function ($z, $d = 'd') use ($y) { global $g; $x = 3; $g = $x . $y . $z . $d; })('z'); call_user_func(function () { $GLOBALS['x'] = [$GLOBALS['x'], (fn () => 'f')()]; }); own(); function own() { $GLOBALS['x']['own'] = $GLOBALS['g']; } ⇒ {"k0":1,"k1":"f","kown":"32zd"}
  functions that may end early, or call themselves: $x = ['a' => 1, 'b' => 1]; function f($n) { $GLOBALS['x']['b'] = 2; f($n); } f(1); (function () { if (g()) return 1; $GLOBALS['x']['a'] = 2; })(); ⇒ {"ka":"UNKNOWN","kb":2}
  functions that are called later: $x = ['a' => 1, 'b' => 1, 'c' => 1]; $f = function ($v) use (&$x) { $x['a'] = $v; }; $f(2); (function () use (&$x) { $x['b'] = 2; })(); array_map(function ($k) { $x = $k; }, ['c']); ⇒ {"ka":"UNKNOWN","kb":2,"kc":1}
  references: $a = ['b' => ['c' => 1]]; $r = &$a['b']; $r['c'] = 2; unset($r); $r['c'] = 3; $x = [$a['b']['c'], $r['c']]; ⇒ {"k0":2,"k1":3}
  comparisons with true and false: $x = [false == 'true', '1' == true, false != 'a', '0' == false]; ⇒ {"k0":false,"k1":true,"k2":true,"k3":true}
  casts: $x = [(int) '12 items', (int) 'no', (bool) '0', (string) 1, (array) ['a']]; ⇒ {"k0":12,"k1":0,"k2":false,"k3":"1","k4":{"k0":"a"}}
  nested keys: $x['a']['b'] = 1; $x['a']['c'] = 2; $x[] = 3; ⇒ {"ka":{"kb":1,"kc":2},"k0":3}
  objects: $x = new stdClass(); $x->a = 'b'; $x->c = $x->a; ⇒ {"ka":"b","kc":"b"}
  globals: $GLOBALS['x']['y'] = 1; ⇒ {"ky":1}
  a class: class C { const K = 'k'; public $p = 1; } $x = C::K; ⇒ "k"
  a namespace: namespace A\B; use function Env\env; \define('Q', 1); $x = Q; ⇒ 1
  an unknown function: $x = file_get_contents('/etc/hostname'); ⇒ "UNKNOWN"
  other keys of an unknown value: $c = f(); $c['a'] = 1; $x = [$c['a'], $c['b']]; ⇒ {"k0":1,"k1":"UNKNOWN"}
  a condition that is not known: $x = 1; if ($_SERVER['HTTPS']) $x = 2; ⇒ "UNKNOWN"
  a condition that is not known, and the parts of an array that it leaves alone: $x = ['a' => ['b' => 1, 'c' => 2], 'd' => 3]; if (f()) $x['a']['b'] = 4; ⇒ {"ka":{"kb":"UNKNOWN","kc":2},"kd":3}
  arrays that replace parts of others: $x = array_replace_recursive(['a' => ['b' => 1, 'c' => [1, 2]], 'd' => 3], ['a' => ['c' => [5]], 'd' => []], ['e' => f()]); ⇒ {"ka":{"kb":1,"kc":{"k0":5,"k1":2}},"kd":{},"ke":"UNKNOWN"}
  an array whose keys are not known: $y = f(); $y['a'] = 1; $x = array_replace(['b' => 2], $y); ⇒ "UNKNOWN"
  a list: $x = array_merge(['a' => 1], [2]); ⇒ "UNKNOWN"
  a variable that a function may change: $x = ['a' => 1]; ksort($x); ⇒ "UNKNOWN"
  a variable that a function may fill: preg_match('/a/', 'a', $x); ⇒ "UNKNOWN"
  a variable that a function leaves alone: $x = ['a' => 1]; if (in_array(1, $x)) $y = 1; ⇒ {"ka":1}
  the function of TYPO3 that changes its first argument: use TYPO3\CMS\Core\Utility\ArrayUtility; $x = ['a' => 1]; ArrayUtility::mergeRecursiveWithOverrule($GLOBALS['x'], ['b' => 2]); ⇒ {"ka":1,"kb":2}
  the other branch: $x = 1; if (f()) $y = 2; else $z = 3; ⇒ 1
  a loop: $x = 1; foreach ([1, 2] as $y) $x = $y; ⇒ "UNKNOWN"
  a list: [$x, $y] = [1, 2]; ⇒ "UNKNOWN"
  bytes that are not UTF-8: $x = "\xff"; ⇒ "UNKNOWN"
  a shell: $x = ${'`'}id${'`'}; ⇒ "UNKNOWN"
  `),
)('evaluates code: %s', (_, code, value) => {
  expect(plain(read(code).variables.get('x'))).toEqual(value);
});

/**
 * Each code sets `$x` to this value in PHP. The parser must find the same value or report it as unknown.
 */
test.each(
  rows(`
  a reference read by its name: $y = 1; $x = &$y; $y = 2; ⇒ 2
  a reference to what is unset: $y = 'k'; $x = &$y; unset($y); ⇒ "k"
  a reference that may not be made: $x = 1; if (g()) $r = &$x; $r = 2; ⇒ "UNKNOWN"
  a reference into an array that is replaced: $r = &$x['a']; $x = ['a' => 1]; $r = 2; ⇒ {"ka":"UNKNOWN"}
  a reference in an array: $x = 1; $r = [&$x]; $r[0] = 2; ⇒ "UNKNOWN"
  a parameter by reference: $x = ['a' => 1]; (function (&$p) { $p['a'] = 2; })($x); ⇒ {"ka":2}
  a text by reference: function f(&$p) { $p = 2; } $x = '1'; f($x); ⇒ 2
  named arguments: function f($a = 1, $b = 1) { $GLOBALS['x'] = $b; } f(b: 2); ⇒ "UNKNOWN"
  unpacked arguments: function f($a = 1, $b = 1) { $GLOBALS['x'] = $b; } f(...[1, 2]); ⇒ "UNKNOWN"
  variadic arguments: function f(...$a) { $GLOBALS['x'] = $a; } f(1, 2); ⇒ "UNKNOWN"
  null as an argument: $x = 1; function f($a = 1) { $GLOBALS['x'] = $a; } f(null); ⇒ null
  a static variable: function f() { static $s = 1; $GLOBALS['x'] = $s; } f(); ⇒ "UNKNOWN"
  the variables of an arrow function: $y = 1; $x = (fn () => $y)(); ⇒ 1
  what an arrow function sets: $x = 1; array_map(fn ($y) => $GLOBALS['x'] = $y, [2]); ⇒ "UNKNOWN"
  a global in a branch: $x = 1; function f() { if (g()) { global $x; } $x = 2; } f(); ⇒ "UNKNOWN"
  recursion: $x = 1; function f($n) { if ($n === 1) f(2); else $GLOBALS['x'] = $n; } f(1); ⇒ "UNKNOWN"
  a function by a text: $x = 1; function f() { $GLOBALS['x'] = 2; } $f = 'f'; $f(); ⇒ "UNKNOWN"
  a function as an argument: $x = 1; function f() { $GLOBALS['x'] = 2; } array_map('f', [1]); ⇒ "UNKNOWN"
  a closure as an argument: $x = 1; array_map(function () { $GLOBALS['x'] = 2; }, [1]); ⇒ "UNKNOWN"
  a closure in a variable: $f = function () { $GLOBALS['x'] = 2; }; $x = 1; $f(); ⇒ "UNKNOWN"
  a closure that is bound: $x = 1; (function () { $GLOBALS['x'] = 2; })->call($y); ⇒ "UNKNOWN"
  a method: $x = 1; class A { function f() { $GLOBALS['x'] = 2; } } (new A)->f(); ⇒ "UNKNOWN"
  a method of a class below: $x = 1; A::f(); class A { static function f() { $GLOBALS['x'] = 2; } } ⇒ "UNKNOWN"
  a method of a trait: $x = 1; (new A)->f(); class A { use T; } trait T { function f() { $GLOBALS['x'] = 2; } } ⇒ "UNKNOWN"
  a function below in a namespace: namespace A; $x = 1; f(); function f() { global $x; $x = 2; } ⇒ 2
  a constructor: $x = 1; class A { function __construct() { $GLOBALS['x'] = 2; } } new A; ⇒ "UNKNOWN"
  a function declared in one of two ways: if (g()) { function f() { $GLOBALS['x'] = 1; } } else { function f() { $GLOBALS['x'] = 2; } } f(); ⇒ "UNKNOWN"
  a function with the name of a framework’s: function env($n) { return 2; } $x = env('A', 1); ⇒ "UNKNOWN"
  the variable of a loop: $x = 1; foreach ([2] as $x) {} ⇒ "UNKNOWN"
  the keys of a loop: $x = ['a' => 1]; foreach (['a'] as $k) $x[$k] = 2; ⇒ "UNKNOWN"
  the values of a loop by reference: $x = ['a' => 1]; foreach ($x as &$v) $v = 2; ⇒ "UNKNOWN"
  a for loop: $x = [1, 1]; for ($i = 0; $i < 2; $i++) $x[$i] = 2; ⇒ "UNKNOWN"
  an increment: $x = 1; $x++; ⇒ "UNKNOWN"
  a key that is not known: $x = ['a' => 1]; $x[g()] = 2; ⇒ "UNKNOWN"
  a variable that is not known: $x = 1; foreach ($y as $k => $v) $GLOBALS[$k] = $v; ⇒ "UNKNOWN"
  a variable variable: $x = 1; $n = 'x'; $$n = 2; ⇒ 2
  a return that may not be reached: $x = 1; if (g()) { $x = 2; return; } $x = 3; ⇒ "UNKNOWN"
  a return in a nested branch: $x = 1; if (g()) { if (true) return; } $x = 2; ⇒ "UNKNOWN"
  a return in a loop: $x = 1; foreach ($y as $z) return; $x = 2; ⇒ "UNKNOWN"
  a return that may not be reached, before other variables: $x = 1; if (g()) return; $y = 2; ⇒ 1
  a return in an included file: include '${written('<?php if (g()) return; $x = 2;', 'ends.php')}'; ⇒ "UNKNOWN"
  variables of a function of PHP: $x = 1; extract(g()); ⇒ "UNKNOWN"
  a variable that only such a function may set: extract(g()); ⇒ "UNKNOWN"
  code in a text: $x = 1; eval('$x = 2;'); ⇒ 2
  code in a text that is not known: $x = 1; eval(g()); ⇒ "UNKNOWN"
  cases that are equal as numbers: $x = 1; switch ('1') { case '01': $x = 2; } ⇒ "UNKNOWN"
  texts that are equal as numbers: $x = 1; if ('1' == '01') $x = 2; ⇒ "UNKNOWN"
  cases that are other numbers: $x = 1; switch ('0') { case '1': $x = 2; break; case 'a': $x = 3; } ⇒ 1
  a case that is the same number: $x = 1; switch ('1') { case '0': $x = 2; break; case '1': $x = 3; } ⇒ 3
  texts that are other numbers: $x = '0' == '1' ? 2 : ('-12' != '12' ? 1 : 3); ⇒ 1
  texts that are the same number: $x = '12' == '12' ? 2 : 1; ⇒ 2
  texts that are zero: $x = '-0' == '0' ? 2 : 1; ⇒ "UNKNOWN"
  texts that are numbers with a fraction: $x = '1' == '1.0' ? 2 : 1; ⇒ "UNKNOWN"
  texts that are large numbers: $x = '9007199254740993000' == '9007199254740993001' ? 2 : 1; ⇒ "UNKNOWN"
  numbers that are not equal: $x = 1; if (1 == 2) $x = 2; ⇒ 1
  texts that are not equal: $x = 1; if ('dev' == 'prod') $x = 2; ⇒ 1
  an existing folder: $x = file_exists('${folder}') ? 2 : 1; ⇒ 2
  whether a folder is there: $x = is_dir('${folder}') ? 2 : 1; ⇒ 2
  whether a file is a folder: $x = is_dir('${written('<?php', 'file.php')}') ? 2 : 1; ⇒ 1
  a missing folder: $x = is_dir('${folder}/none') ? 2 : 1; ⇒ 1
  a folder that can be read: $x = is_readable('${folder}') ? 2 : 1; ⇒ 2
  a folder that is not a file: $x = is_file('${folder}') ? 2 : 1; ⇒ 1
  a character of a text: $y = '/a'; $x = $y[0] === '/' ? 2 : 1; ⇒ "UNKNOWN"
  whether there is a character: $y = '/a'; $x = isset($y[0]) ? 2 : 1; ⇒ "UNKNOWN"
  a changed character: $x = 'abc'; $x[0] = 'd'; ⇒ "UNKNOWN"
  constants of PHP itself: $x = 1; if (!defined('PHP_VERSION_ID')) $x = 2; ⇒ "UNKNOWN"
  a method of any name, by __call(): $x = 1; class A { function __call($n, $a) { $GLOBALS['x'] = 2; } } (new A)->f(); ⇒ "UNKNOWN"
  a static method of any name, by __callStatic(): $x = 1; class A { static function __callStatic($n, $a) { $GLOBALS['x'] = 2; } } A::f(); ⇒ "UNKNOWN"
  a method as an argument: $x = 1; class A { static function f() { $GLOBALS['x'] = 2; } } call_user_func(['A', 'f']); ⇒ "UNKNOWN"
  a method as an argument, by a text: $x = 1; class A { static function f() { $GLOBALS['x'] = 2; } } call_user_func('A::f'); ⇒ "UNKNOWN"
  a static property: class A { static $v = 1; } A::$v = 2; $x = A::$v; ⇒ "UNKNOWN"
  a static property of another class: class A { static $v = 1; } class B extends A {} B::$v[] = 2; $x = A::$v; ⇒ "UNKNOWN"
  a static property in a method: class A { static $v = 1; static function f() { self::$v = 2; } } A::f(); $x = A::$v; ⇒ "UNKNOWN"
  a static property by reference: class A { static $v = []; } sort(A::$v); $x = A::$v; ⇒ "UNKNOWN"
  a static property by reference to a user-defined function: class A { static $v = 1; } function f(&$y) { $y = 2; } f(A::$v); $x = A::$v; ⇒ "UNKNOWN"
  a static property that nothing changes: class A { static $v = 1; const B = 2; } g(A::B); $x = A::$v; ⇒ 1
  one of two classes: if (g()) { class A { const B = 1; } } else { class A { const B = 2; } } $x = A::B; ⇒ "UNKNOWN"
  an object of a class: class A { public $v = 1; } $o = new A; $x = $o->v; ⇒ "UNKNOWN"
  an object without a class: $o = new stdClass; $o->v = 1; $x = [$o->v, $o->w]; ⇒ {"k0":1,"k1":null}
  an assignment in an argument of a constructor: $x = 1; new A($x = 2); ⇒ 2
  a function that echo calls: $x = 1; function f() { $GLOBALS['x'] = 2; } echo f(); ⇒ 2
  a function that print calls: $x = 1; function f() { $GLOBALS['x'] = 2; } print f(); ⇒ 2
  a match: $x = 1; $y = match (g()) { 1 => $x = 2, default => 3 }; ⇒ "UNKNOWN"
  a global that a function gives up: $x = 1; function f() { global $x; unset($x); $x = 2; } f(); ⇒ 1
  a global that a function may give up: $x = 1; function f() { global $x; if (g()) unset($x); $x = 2; } f(); ⇒ "UNKNOWN"
  an element behind others: $y = explode(',', g()); $y[] = 1; $x = $y[0]; ⇒ "UNKNOWN"
  a text that a function changes: $x = 'a'; sscanf(g(), '%s', $x); ⇒ "UNKNOWN"
  a constant that may be there: foreach (g() as $k => $v) define($k, $v); $x = defined('A') ? 1 : 2; ⇒ "UNKNOWN"
  a constant of code in a text: eval(g()); $x = defined('A') ? 1 : 2; ⇒ "UNKNOWN"
  a constant by a function as an argument: array_map('define', g(), g()); $x = defined('A'); ⇒ "UNKNOWN"
  no constant of a branch that does not run: if (false) eval(g()); $x = defined('A'); ⇒ false
  the value before several returns: $x = 1; if (g()) return; $x = 2; if (g()) return; $x = 1; ⇒ "UNKNOWN"
  `),
)('finds the value of PHP or reports it as unknown: %s', (_, code, value) => {
  const { variables } = read(code, { environment: {} });
  expect(plain(variables.get('x') ?? variables.get(rest) ?? null)).toEqual(value);
});

test('returns an unknown value from a file that may end early', () => {
  expect(plain(read("if (g()) { return ['a' => 1]; } return ['a' => 2];").returned)).toBe('UNKNOWN');
  expect(plain(read('switch (g()) { case 1: return 1; } ').returned)).toBe('UNKNOWN');
});

test('gives code that is included in a function its own variables', () => {
  const { variables } = read(`$x = 1; $GLOBALS['y'] = $x; $x = Environment::getVarPath() . '/' . $z;`, {
    variables: { x: 0, z: 0 },
    isInFunction: true,
    calls: { 'environment::getvarpath': '/var' },
  });
  expect(variables.get('x')).toBe(0);
  expect(variables.get('y')).toBe(1);
});

test('takes the environment of PHP from the caller, not from this process', () => {
  process.env.SECRET_OF_THE_SERVER = 'secret';
  const code = `$x = [getenv('A'), env('B', 'b'), $_ENV['A'] ?? 'none', getenv('SECRET_OF_THE_SERVER'), env('T'), getenv_docker('A', 'c')];`;
  expect(plain(read(code, { environment: { A: 'a', T: '(true)' } }).variables.get('x'))).toEqual({
    k0: 'a',
    k1: 'b',
    k2: 'a',
    k3: false,
    k4: true,
    k5: 'a',
  });
  expect(plain(read(`$x = getenv('SECRET_OF_THE_SERVER');`).variables.get('x'))).toBe('UNKNOWN');
});

test('reads at most 20 included files, except the application’s own', () => {
  written(`<?php $x = 'other'; return ['k' => 1];`, 'other.php');
  const code = `$r = require __DIR__ . '/other.php'; @include 'missing.php'; require_once __DIR__ . '/wp-settings.php'; include __FILE__;`;
  expect(() => read(code)).toThrow(/the included file .*wp-settings\.php does not exist$/);
  expect(() => read(code, { application: /wp-settings\.php$/ })).toThrow(/more than 20 files/);
  const { variables } = read(code.replace('include __FILE__;', ''), { application: /wp-settings\.php$/ });
  expect(['x', 'r'].map((name) => plain(variables.get(name)))).toEqual(['other', { kk: 1 }]);
});

test.each<[string, () => string]>([
  ['a deep array', () => `$x = ${'['.repeat(5000)}${']'.repeat(5000)};`],
  ['a text that doubles', () => `$x = 'x'; ${'$x .= $x;'.repeat(100)}`],
  ['an array that doubles', () => `$x = []; ${'$x = [$x, $x];'.repeat(300)} ${'$x[] = $x;'.repeat(300)}`],
  ['two megabytes', () => `// ${'x'.repeat(2_000_000)}`],
  ['a long chain', () => `$x = ${"'a' . ".repeat(2000)}'b';`],
  ['many branches', () => 'if (f()) { $a = 1; '.repeat(100) + '}'.repeat(100)],
  ['no PHP', () => '$x = [[['],
  ['a pipe', () => 'include "/dev/stdin"; include "/dev/zero";'],
])('survives a hostile file: %s', async (_, code) => {
  const outcome = await readConfiguration(written(`<?php\n${code()}`)).catch((error: unknown) => error);
  // Reading ends with a configuration or a ConfigurationError, and this process survives.
  if (outcome instanceof Error) expect(outcome).toBeInstanceOf(ConfigurationError);
  else expect(String((outcome as Configuration).file)).toContain(folder);
});

test('reports an unknown value only when it is requested', async () => {
  const file = written(`<?php\ndefine('A', 'a');\ndefine('B', f());\n`);
  const configuration = await readConfiguration(file);
  expect(configuration.constant('A', 'X')).toBe('a');
  expect(configuration.constant('C', 'X')).toBeNull();
  expect(() => configuration.constant('B', 'optionB')).toThrow(
    `${file} line 3: B depends on the function f(), which only PHP knows: set optionB`,
  );
  symlinkSync('loop', join(folder, 'loop'));
  for (const name of ['loop', 'not-there.php', '']) {
    await expect(readConfiguration(join(folder, name))).rejects.toThrow(ConfigurationError);
  }
});

test.each([
  ['a loop', `foreach ($_ENV as $k => $v) define($k, $v);`, 'foreach'],
  ['code in a text', `eval(getenv('CODE'));`, 'the environment variable CODE'],
  ['a function as an argument', `array_walk($_ENV, 'define');`, 'the name of another constant'],
])('does not report a constant as absent if the file may define it: %s', async (_, code, reason) => {
  const configuration = await readConfiguration(written(`<?php\ndefine('A', 'a');\n${code}`));
  expect(configuration.constant('A', 'X')).toBe('a');
  expect(() => configuration.constant('C', 'optionC')).toThrow(
    `line 3: C depends on ${reason}, which only PHP knows: set optionC`,
  );
});

test('reads wp-config.php of WordPress’s Docker image', async () => {
  const code = `<?php
if (!function_exists('getenv_docker')) {
  function getenv_docker($env, $default) {
    if ($fileEnv = getenv($env . '_FILE')) { return rtrim(file_get_contents($fileEnv), "\\r\\n"); }
    else if (($val = getenv($env)) !== false) { return $val; }
    else { return $default; }
  }
}
define('DB_HOST', getenv_docker('WORDPRESS_DB_HOST', 'mysql'));
$table_prefix = getenv_docker('WORDPRESS_TABLE_PREFIX', 'wp_');
define('WP_DEBUG', !!getenv_docker('WORDPRESS_DEBUG', ''));
if (isset($_SERVER['HTTP_X_FORWARDED_PROTO']) && strpos($_SERVER['HTTP_X_FORWARDED_PROTO'], 'https') !== false) {
  $_SERVER['HTTPS'] = 'on';
}
if ($configExtra = getenv_docker('WORDPRESS_CONFIG_EXTRA', '')) { eval($configExtra); }
if (!defined('ABSPATH')) { define('ABSPATH', __DIR__ . '/'); }
`;
  const seen = async (environment: Record<string, string>) => {
    const found = await readConfiguration(written(code), { environment });
    const constants = ['DB_HOST', 'WP_DEBUG', 'COOKIEHASH', 'ABSPATH'].map((name) =>
      found.constant(name, 'X'),
    );
    return [...constants, found.variable(['table_prefix'], 'X')];
  };
  const rest = [`${folder}/`, 'wp_'];
  expect(await seen({})).toEqual(['mysql', false, null, ...rest]);
  expect(await seen({ WORDPRESS_CONFIG_EXTRA: '', WORDPRESS_DB_HOST: 'db' })).toEqual([
    ...['db', false, null],
    ...rest,
  ]);
  expect(await seen({ WORDPRESS_CONFIG_EXTRA: "define('COOKIEHASH', 'c');" })).toEqual([
    ...['mysql', false, 'c'],
    ...rest,
  ]);
});

test('names the line and the environment variable that an unknown value depends on', async () => {
  const configuration = await readConfiguration(
    written(`<?php
$x = 'abc'; $x['d'] = 'e';
$y = $_ENV['Y'] ?? 'y';
$z = $_SERVER['Z'];
$h = $_SERVER['HTTP_HOST'];
`),
  );
  for (const [name, reason] of [
    ['x', 'line 2: $x depends on a character of a text, which only PHP knows: set X'],
    ['y', 'line 3: $y depends on the environment variable Y, which only PHP knows: set X, or siteEnv'],
    ['z', 'line 4: $z depends on the environment variable Z, which only PHP knows: set X, or siteEnv'],
    ['h', 'line 5: $h depends on $_SERVER, which only PHP knows: set X'],
  ] as const)
    expect(() => configuration.variable([name], 'X')).toThrow(reason);
});

test('reads a file with many variables and many returns that may not be reached', () => {
  const variables = Array.from({ length: 1500 }, (_, n) => `$v${n} = 1;`).join('');
  expect(read(`${variables}${'if (g()) return;'.repeat(40)} $x = 1;`).variables.get('v0')).toBe(1);
  expect(plain(read(`${'if (g()) return;'.repeat(120)} $x = 1;`).variables.get('x'))).toBe('UNKNOWN');
});

/** A random expression of literals. */
function expression(random: ReturnType<typeof dice>, depth = 0): string {
  const pick = <T>(from: readonly T[]): T => from[random(from.length)] as T;
  const pieces = [
    ...'a|Z|0|\\|\\\\|\\\'|\\"|\\$|$|{|}|\\n|\\t|\\x41|\\101|\\u{e9}|\\u{1F600}|é|😀| |#|//|/*|?>|%|\\e|\\0|\\8'.split(
      '|',
    ),
    ...['\n', '\r\n', '$a', '{$a}', `$${'{a}'}`, '$b[k]', '{$b["k"]}', '\\\n'],
  ];
  const text = () => {
    const quote = pick(["'", '"']);
    const inner = Array.from({ length: random(8) }, () => pick(pieces)).join('');
    const safe = inner
      .replaceAll(quote, `\\${quote}`)
      .replace(/\\+$/, (end) => (end.length % 2 ? `${end}\\` : end));
    return quote + safe + quote;
  };
  const inner = () => expression(random, depth + 1);
  const forms = [
    () => `${inner()} . ${inner()}`,
    () => `[${inner()}, ${text()} => ${inner()}, ${inner()}]`,
    () => `(${inner()} ?: ${inner()})`,
    () => `(${inner()} ?? ${inner()})`,
    () => `(!${inner()})`,
    () => `(${inner()} === ${inner()} ? ${inner()} : ${inner()})`,
    () => pick(['1', '017', '0x1F', '1_000', '-3', 'true', 'FALSE', 'null', 'PHP_EOL', '__LINE__']),
  ];
  return depth > 3 || random(2) === 0 ? text() : pick(forms)();
}

test('gives 300 random expressions the value that PHP gives them, or reports it as unknown', () => {
  const random = dice(20_261_122);
  const files = Array.from({ length: 300 }, (_, n) =>
    written(`<?php\n$a = 'A'; $b = ['k' => 'K'];\n$r = ${expression(random)};\n`, `fuzz-${n}.php`),
  );
  const php = JSON.parse(
    execFileSync('php', [
      '-d',
      'error_reporting=0',
      '-r',
      `function plain($v) { if (!is_array($v)) return $v; $o = new stdClass; foreach ($v as $k => $x) $o->{"k$k"} = plain($x); return $o; }
       foreach (array_slice($argv, 1) as $file) { try { include $file; $all[] = json_encode(plain($r)) === false ? 'BYTES' : plain($r); } catch (Throwable $e) { $all[] = 'THROWN'; } }
       echo json_encode($all);`,
      '--',
      ...files,
    ]).toString(),
  ) as unknown[];
  let known = 0;
  for (const [n, file] of files.entries()) {
    let ours: unknown;
    try {
      ours = plain(readPhp(file).variables.get('r'));
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigurationError);
      expect(php[n], file).toBe('THROWN');
      continue;
    }
    // PHP rejects some code that this project’s parser accepts.
    if (php[n] === 'THROWN' || JSON.stringify(ours)?.includes('UNKNOWN')) continue;
    known++;
    expect(ours, file).toEqual(php[n]);
  }
  expect(known).toBeGreaterThan(150);
});

const before = { before: { OUT: 'out' } };
const plainFile = `
# a comment
A=1
export B = two words # and a comment
C='$A "x" \\n'
D="\${A}\\n\\"q\\" \\$A"
E=
A=2
F="two
lines"
G=a#b
`;
test.each<[form: 'plain' | 'phpdotenv' | 'symfony', text: string, values: object]>([
  [
    'plain',
    plainFile,
    { A: '1', B: 'two words', C: '$A "x" \\n', D: '1\n"q" $A', E: '', F: 'two\nlines', G: 'a#b' },
  ],
  // Observed with Laravel 10.50 and 13.26 with phpdotenv 5.
  ['phpdotenv', 'A=1\nA=2', { A: '2' }],
  ['phpdotenv', 'A=x#y\nB="x#y"\nC="x"#y', { A: 'x', B: 'x#y', C: 'x' }],
  ['phpdotenv', `A=1\nB=\\$A\${A}\\\${A}\nC="\\\${A}"`, { A: '1', B: '\\$A1\\1', C: `\${A}` }],
  ['phpdotenv', 'A=1\nA\nB=2', { B: '2' }],
  ['phpdotenv', '"A"=1\n\'B\'=2', { A: '1', B: '2' }],
  ['phpdotenv', `A=\${OUT}\${NONE}\nA=\${A}b`, { A: `out\${NONE}b` }],
  // Observed with Dotenv of Symfony 7.2.
  ['symfony', 'A=1\nA=2', { A: '2' }],
  ['symfony', 'A=x#y\nB=x #y\nC="x"#y\nD= # no\n', { A: 'x#y', B: 'x', C: 'x#y', D: '' }],
  [
    'symfony',
    `A=a\nB=$A\${A}b\\$A\${NONE}\${NONE:-c}$OUT\nexport C="$A\\$A"'$A'x`,
    { A: 'a', B: 'aab$Acout', C: 'a$A$Ax' },
  ],
  ['symfony', 'A="two\nlines\\n\\"\\t"\nB=\'two\nlines\\n\'', { A: 'two\nlines\n"\\t', B: 'two\nlines\\n' }],
])('reads an environment file of the form %s: %j', (form, text, values) => {
  expect({ ...parseEnv(text, '.env', form, before) }).toEqual(values);
});

test.each([
  ['plain', ['X="no end', "X='a' b"]],
  ['symfony', ['A', 'X="no end', "X='no end", '=x']],
] as const)('names the line of an error in an environment file: %s', (form, lines) => {
  for (const wrong of lines)
    expect(() => parseEnv(`B=1\n${wrong}`, '/site/.env', form)).toThrow(/^\/site\/\.env line 2: /);
});

test('takes variables in a value from PHP, then from the file, then from earlier files', () => {
  const others = { before: { B: 'before', C: 'before' }, environment: { A: 'php' } };
  for (const form of ['plain', 'phpdotenv', 'symfony'] as const)
    expect(parseEnv(`A=own\nB=own\nX="\${A} \${B} \${C}"`, '.env', form, others).X).toBe('php own before');
});

test('limits the cost of hostile text files by their length', () => {
  const long = 50_000;
  const blanks = ' '.repeat(long);
  const straight = cpuOf(() =>
    expect(parseEnv(`A=x${'y '.repeat(long)}z`, '.env').A).toHaveLength(2 * long + 2),
  );
  for (const read of [
    () => parseEnv(`A=x${blanks}y`, '.env'),
    () => parseEnv(`A=x${blanks}y`, '.env', 'symfony'),
    () => parseEnv(`A="${'\\\\'.repeat(long)}x"`, '.env', 'symfony'),
    () => parseEnv(`A="${'$'.repeat(long / 10)}"`, '.env', 'symfony'),
    () => parseEnv(`\n${blanks}\nA=1`, '.env', 'symfony'),
    () => readYamlScalar(`a: x${blanks}y`, 'f', ['a']),
    () => readYamlScalar(`a${blanks}: y`, 'f', ['a']),
    () => [...parseIni(`x${blanks}y=1`, 'f')],
  ]) {
    // Quadratic time would be some thousand times as much.
    expectCpuBelow(50 * Math.max(straight, 10_000), read);
  }
  expect(() => readYamlScalar(`a${blanks}y`, 'f', ['a'])).toThrow(ConfigurationError);
  const growing = `A=${'x'.repeat(4000)}\nB=${`\${A}`.repeat(200_000)}`;
  for (const form of ['plain', 'phpdotenv', 'symfony'] as const)
    expect(() => parseEnv(growing, '.env', form)).toThrow(/the values together are too long/);
});

test('rejects a pipe and a device without waiting for them', async () => {
  const pipe = join(folder, 'pipe');
  const zero = join(folder, 'zero');
  execFileSync('mkfifo', [pipe]);
  symlinkSync('/dev/zero', zero);
  const site = await siteFolder({ folder });
  for (const name of ['pipe', 'zero']) {
    await expect(site.text(name)).rejects.toThrow(/is not a regular file/);
    expect(() => readPhp(join(folder, name), {})).toThrow(/is not a regular file/);
  }
});
