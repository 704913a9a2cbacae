import { expect, test } from 'vitest';
import { parseStoreUrl } from '../../../server/session/store-url.ts';

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
])('a store URL that is taken, without connecting: %s', (url, format) => {
  expect(parseStoreUrl(url).format).toBe(format);
});

test.each([
  ['mysql://host/site', columns, /names no user/],
  ['mysql://site:secret@host', columns, /names no database/],
  ['mysql://site:secret@host/a/b', columns, /names no database/],
  ['mysql://site:secret@/site', columns, /either a host or a socket=/],
  ['mysql://site:secret@host/site', `${columns}&socket=/run/mysqld.sock`, /either a host or a socket=/],
  ['mysql://site:secret@/site', `${columns}&socket=mysqld.sock`, /absolute path/],
  ['postgres://site:secret@/site', `${columns}&socket=/run/postgresql`, /ends in \/\.s\.PGSQL\.5432/],
  ['mysql://site:secret@host/site', 'id=id&data=data', /table= is missing/],
  ['mysql://site:secret@host/site', 'table=s&data=data', /id= is missing/],
  ['mysql://site:secret@host/site', 'table=s&id=id', /data= is missing/],
  ['mysql://site:secret@host/site', 'table=a.b.c&id=id&data=data', /table= is a name/],
  ['mysql://site:secret@host/site', 'table=a`b&id=id&data=data', /table= is a name/],
  ['postgres://site:secret@host/site', 'table=s&id=i"d&data=data', /id= is a name/],
  ['sqlite:site.db', 'table=s&id=id&data=a.b', /data= is a name/],
  ['sqlite:site.db', `${columns}&expires=a b`, /expires= is a name/],
  ['sqlite:site.db', `${columns}&expires=a&last=b`, /exclude each other/],
  ['sqlite:site.db', `${columns}&expires=a&expires_unit=hours`, /one of unix, datetime, utc, digits/],
  ['sqlite:site.db', `${columns}&last=a&lifetime=soon`, /lifetime=/],
  ['mysql://site:secret@host/site', `${columns}&tls=yes`, /tls= is on or off/],
  ['mysql://site:secret@host/site', `${columns}&ca=/etc/hosts`, /ca= is for tls=on/],
  [
    'mysql://site:secret@host/site',
    `${columns}&tls=on&ca=/etc/hosts`,
    /ca=\/etc\/hosts is no file with a cert/,
  ],
  ['mysql://site:secret@10.0.0.1/site', `${columns}&tls=on`, /needs the name of the host/],
  ['mysql://site:secret@/site', `${columns}&tls=on&socket=/run/mysqld.sock`, /not for a socket=/],
  ['mysql://site:secret@host/site', `${columns}&charset=koi8r`, /charset= is utf8mb4 or latin1/],
  ['sqlite:site.db', `${columns}&charset=latin1`, /charset= is not an option of sqlite:/],
  ['sqlite:', columns, /followed by the path/],
  ['sqlite://host/site.db', columns, /followed by the path/],
])('a store URL that is refused, without its password: %s?%s', (at, options, reason) => {
  const parse = () => parseStoreUrl(`${at}?${options}`);
  expect(parse).toThrow(TypeError);
  expect(parse).toThrow(reason);
  expect(parse).not.toThrow(/secret/);
});
