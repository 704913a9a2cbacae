import { expect, test } from 'vitest';
import { parseStoreUrl } from '../src/store-url.ts';

test.each<[url: string, reason: RegExp]>([
  ['file://host/var/lib', /three slashes/],
  ['file:///var/lib%0AExecStartPre=x', /control character/],
  ['file:///var/lib?depth=10', /depth=/],
  ['file:///var/lib?lifetime=soon', /lifetime=/],
  ['file:///var/lib?timeout=1s', /timeout=/],
  ['file:///var/lib?prefix=php/sess_', /prefix= of file: must not contain a slash/],
  ['file:///var/lib?owner=no-such-user', /owner= must be a user in \/etc\/passwd/],
  ['file:///var/lib?owner=', /owner= must be a user in \/etc\/passwd/],
  ['redis://', /neither a host nor a socket/],
  ['rediss:///run/redis.sock', /must name a host/],
  ['redis://one:6379,two:6379', /one Redis server, not several/],
  ['redis://host/three', /the Redis database must be a number/],
  ['redis://host/3?database=4', /the Redis database must be a number/],
  ['redis://host/3?database=03', /the Redis database must be a number/],
  ['redis://host/3?database=', /the Redis database must be a number/],
  ['redis://host?database=-1', /the Redis database must be a number/],
  ['redis://host?ca=/etc/hosts', /ca= is not an option of redis:/],
  ['rediss://host?ca=/etc/hosts', /ca=\/etc\/hosts is not a file with a certificate/],
  ['rediss://host?ca=/gone', /ca=\/gone is not a file with a certificate/],
  ['rediss://host?verify=no', /verify= is not an option/],
  ['memcached://h?handler=redis', /handler= must be memcached or memcache/],
  ['memcached://h?handler=memcached&distribution=memcache', /one of ketama, modula, ketama_weighted/],
  ['memcached://h?handler=memcache&distribution=ketama', /one of memcache, memcache_fnv/],
  ['memcached://h?distribution=random', /distribution= must be one of modula, ketama/],
  ['memcached://a,b,c?weight=1,2', /weight= must be one number for all servers, or a number for each server/],
  ['memcached://a,b?weight=0,1', /weight= must be numbers from 1/],
  ['memcached://a,b?weight=', /weight= must be numbers from 1/],
  ['memcached://a,b?redundancy=2', /redundancy= is not an option/],
  ['memcached://a,b?handler=memcache&redundancy=0', /redundancy= must be 1 to 9/],
  ['memcached://a,b?handler=memcache&past_misses=yes', /past_misses= must be 0 or 1/],
  ['memcached://a,b?handler=memcached&past_misses=1', /past_misses= is not an option/],
  ['session-server://', /names neither a host nor a socket/],
  ['session-server:///', /names neither a host nor a socket/],
  ['session-server://one,two', /must name one host/],
  ['session-server://me:secret@host', /must not have a user/],
  ['session-server://host/run/x.sock', /either a host or a socket/],
  ['session-server:///run/x.sock?tls=on', /tls=on cannot be used with a socket/],
  ['session-server://host?ca=/none', /ca= requires tls=on/],
  ['session-server://host?tls=yes', /tls= must be on or off/],
  ['session-server://host?prefix=x', /prefix= is not an option/],
  ['session-server://host?auth_file=/none', /cannot be read, or is not one word/],
])('rejects %s', (url, reason) => {
  expect(() => parseStoreUrl(url)).toThrow(TypeError);
  expect(() => parseStoreUrl(url)).toThrow(reason);
});

const columns = 'table=sessions&id=id&data=data';

test.each([
  [`mysql://site:secret@host/site?${columns}`, 'php'],
  [`mariadb://site:secret@one:3307,two/site?${columns}&format=json`, 'json'],
  [`mysql://site@/site?${columns}&socket=/run/mysqld/mysqld.sock`, 'php'],
  [`mysql://site@db.example/site?${columns}&tls=on`, 'php'],
  [`postgres://site:secret@[::1]/site?${columns}`, 'php'],
  [`postgresql://site@/site?${columns}&socket=/run/postgresql/.s.PGSQL.5432`, 'php'],
  [`sqlite:data/site.db?${columns}`, 'php'],
  [`sqlite:/srv/site/site.db?${columns}&last=used&lifetime=30m`, 'php'],
  ['mysql://site@host/site?table=site.ci_session&id=$id&data=da#ta&charset=utf8mb4', 'php'],
])('accepts %s without connecting', (url, format) => {
  expect(parseStoreUrl(url).format).toBe(format);
});

test.each([
  ['mysql://host/site', columns, /must name a user/],
  ['mysql://site:secret@host', columns, /must name a database/],
  ['mysql://site:secret@host/a/b', columns, /must name a database/],
  ['mysql://site:secret@/site', columns, /either a host or socket=/],
  ['mysql://site:secret@host/site', `${columns}&socket=/run/mysqld.sock`, /either a host or socket=/],
  ['mysql://site:secret@/site', `${columns}&socket=mysqld.sock`, /absolute path/],
  ['postgres://site:secret@/site', `${columns}&socket=/run/postgresql`, /ends in \/\.s\.PGSQL\.5432/],
  ['mysql://site:secret@host/site', 'id=id&data=data', /table= is missing/],
  ['mysql://site:secret@host/site', 'table=s&data=data', /id= is missing/],
  ['mysql://site:secret@host/site', 'table=s&id=id', /data= is missing/],
  ['mysql://site:secret@host/site', 'table=a.b.c&id=id&data=data', /table= must be a name/],
  ['mysql://site:secret@host/site', 'table=a`b&id=id&data=data', /table= must be a name/],
  ['postgres://site:secret@host/site', 'table=s&id=i"d&data=data', /id= must be a name/],
  ['sqlite:site.db', 'table=s&id=id&data=a.b', /data= must be a name/],
  ['sqlite:site.db', `${columns}&expires=a b`, /expires= must be a name/],
  ['sqlite:site.db', `${columns}&expires=a&last=b`, /cannot be used together/],
  ['sqlite:site.db', `${columns}&expires=a&expires_unit=hours`, /one of unix, datetime, utc, digits/],
  ['sqlite:site.db', `${columns}&last=a&lifetime=soon`, /lifetime=/],
  ['mysql://site:secret@host/site', `${columns}&tls=yes`, /tls= must be on or off/],
  ['mysql://site:secret@host/site', `${columns}&ca=/etc/hosts`, /ca= requires tls=on/],
  [
    'mysql://site:secret@host/site',
    `${columns}&tls=on&ca=/etc/hosts`,
    /ca=\/etc\/hosts is not a file with a cert/,
  ],
  ['mysql://site:secret@10.0.0.1/site', `${columns}&tls=on`, /needs the name of the host/],
  ['mysql://site:secret@/site', `${columns}&tls=on&socket=/run/mysqld.sock`, /cannot be used with socket=/],
  ['mysql://site:secret@host/site', `${columns}&charset=koi8r`, /charset= must be utf8mb4 or latin1/],
  ['sqlite:site.db', `${columns}&charset=latin1`, /charset= is not an option of sqlite:/],
  ['sqlite:', columns, /followed by the path/],
  ['sqlite://host/site.db', columns, /followed by the path/],
])('rejects %s?%s without repeating its password', (at, options, reason) => {
  const parse = () => parseStoreUrl(`${at}?${options}`);
  expect(parse).toThrow(TypeError);
  expect(parse).toThrow(reason);
  expect(parse).not.toThrow(/secret/);
});

test('replaces options in a URL whose password contains encoded separators', () => {
  const url = 'mysql://site:a%3Ab%2F%40@host/site?table=s&id=id&data=data&prefix=a/';
  const other = parseStoreUrl(url).with({ prefix: 'b:c/', data: 'other' });
  expect(other.options).toBe('table=s&id=id&data=other&prefix=b:c/');
});
