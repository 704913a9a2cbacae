import fc from 'fast-check';

/** The keywords of JSON Schema in docs/openapi.json. */
export interface Schema {
  type?: 'string' | 'integer' | 'number' | 'boolean' | 'object' | 'array';
  anyOf?: Schema[];
  not?: Schema;
  enum?: unknown[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: false | Schema;
  default?: unknown;
  description?: string;
}

interface Parameter {
  name: string;
  in: 'path' | 'query';
  required?: boolean;
  schema: Schema;
}

export interface Operation {
  parameters: Parameter[];
  requestBody?: { required?: boolean; content: { 'application/json': { schema: Schema } } };
  responses: Record<string, unknown>;
}

const keywords = new Set([
  ...['type', 'anyOf', 'not', 'enum', 'pattern', 'minLength', 'maxLength', 'minimum', 'maximum', 'items'],
  ...['minItems', 'maxItems', 'properties', 'required', 'additionalProperties', 'default', 'description'],
]);

/** Whether a value is valid by a schema. @throws Error at a keyword that this function does not know */
export function fits(schema: Schema, value: unknown): boolean {
  const unknown = Object.keys(schema).filter((name) => !keywords.has(name));
  if (unknown.length > 0) throw new Error(`unknown keywords: ${unknown}`);
  const { anyOf, not, enum: values, type } = schema;
  if (anyOf !== undefined && !anyOf.some((one) => fits(one, value))) return false;
  if (not !== undefined && fits(not, value)) return false;
  if (values !== undefined && !values.includes(value)) return false;
  if (type !== undefined && !isOfType(type, value)) return false;
  if (typeof value === 'string') {
    const { pattern, minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema;
    const { length } = [...value];
    return (
      length >= minLength &&
      length <= maxLength &&
      (pattern === undefined || new RegExp(pattern, 'u').test(value))
    );
  }
  if (typeof value === 'number') {
    const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
    return value >= minimum && value <= maximum;
  }
  if (Array.isArray(value)) {
    const { items = {}, minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema;
    return value.length >= minItems && value.length <= maxItems && value.every((item) => fits(items, item));
  }
  if (typeof value === 'object' && value !== null) {
    const { properties = {}, required = [], additionalProperties = {} } = schema;
    return (
      required.every((name) => Object.hasOwn(value, name)) &&
      Object.entries(value).every(([name, field]) => {
        const own = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
        return own !== false && fits(own as Schema, field);
      })
    );
  }
  return true;
}

function isOfType(type: NonNullable<Schema['type']>, value: unknown): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}

/** Without lone surrogates, which the contract does not describe. Most values of a generated string are `a`, which all patterns allow. */
const characters = fc.oneof(
  { weight: 20, arbitrary: fc.constant('a') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...[' ', '\t', '\n', '\r', '\0', '\x1f', '\x7f', '\x85', '\u2028', '\u2029', '\u202e', '\u2066'],
      ...['\ufffd', 'é', '😀', '-', '_', '*', '0', '/', '%', '"', '\\', '.', '~', '!', 'u-'],
    ),
  },
);
const wellKnown = fc.constantFrom(
  'g-0123456789abcdef0123456789abcdef',
  '',
  '0',
  '1',
  '*',
  '.',
  '..',
  ' ',
  'u-a',
  'lobby',
  'guest:a',
  '1.5',
  '007',
  'a b',
);
const anyValue = fc.constantFrom<unknown>(null, true, 0, 1, -1, 'x', '', [], {}, [null], { a: 1 });

/** Generates values near the limits of a schema, on both sides. */
function near(schema: Schema): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 30, arbitrary: ofForm(schema) }, { weight: 1, arbitrary: anyValue });
}

function ofForm(schema: Schema): fc.Arbitrary<unknown> {
  const { type, anyOf, enum: values } = schema;
  if (anyOf !== undefined) return fc.oneof(...anyOf.map(near));
  if (values !== undefined) return fc.constantFrom(...values, ...values, ...values, 'other', '');
  switch (type) {
    case 'string':
      return ofString(schema);
    case 'integer':
    case 'number': {
      const { minimum = 0, maximum = 9 } = schema;
      return fc.constantFrom(minimum, minimum + 1, maximum, minimum - 1, maximum + 1, 1.5, 1e300);
    }
    case 'boolean':
      return fc.boolean();
    case 'array':
      return ofArray(schema);
    case 'object':
      return ofObject(schema);
    default:
      return anyValue;
  }
}

function ofString({ minLength = 0, maxLength = 64, pattern }: Schema): fc.Arbitrary<string> {
  const text = (min: number, max: number) =>
    fc
      .array(characters, { minLength: Math.max(0, min), maxLength: max, size: 'max' })
      .map((all) => all.join(''));
  return fc.oneof(
    { weight: 6, arbitrary: text(Math.max(1, minLength), 8) },
    { weight: 2, arbitrary: text(maxLength - 1, maxLength + 1) },
    { weight: 1, arbitrary: fc.constantFrom('😀'.repeat(maxLength), '😀'.repeat(maxLength + 1)) },
    { weight: 3, arbitrary: wellKnown },
    // For the pattern of numbers.
    { weight: pattern === undefined ? 0 : 5, arbitrary: fc.constant('7') },
  );
}

function ofArray({ items = {}, minItems = 0, maxItems = 3 }: Schema): fc.Arbitrary<unknown[]> {
  const few = fc.array(near(items), { minLength: 0, maxLength: 3 });
  // The limits of long arrays are tested with one valid item.
  const many = fc
    .tuple(ofForm(items), fc.constantFrom(maxItems, maxItems + 1, Math.max(0, minItems - 1)))
    .map(([item, length]) => Array<unknown>(length).fill(item));
  return fc.oneof({ weight: 8, arbitrary: few }, { weight: 1, arbitrary: many });
}

function ofObject({ properties = {}, required = [] }: Schema): fc.Arbitrary<object> {
  const fields = Object.entries(properties).map(([name, schema]) =>
    fc
      .tuple(near(schema), fc.integer({ min: 0, max: 19 }))
      .map(([value, dice]) => (dice < (required.includes(name) ? 19 : 10) ? [[name, value] as const] : [])),
  );
  const unknown = fc.constantFrom<(readonly [string, unknown])[]>(
    ...[[], [], [], [], [], [], [], [], []],
    [['second', 60]],
    [['__proto__', {}]],
  );
  return fc.tuple(...fields, unknown).map((all) => Object.fromEntries(all.flat()));
}

/** A request, and whether the contract allows it. */
export interface ContractRequest {
  path: string;
  body: string | undefined;
  isValid: boolean;
}

const broken = fc.constantFrom(undefined, '', ' ', '[]', 'null', '{', '{}x', '{"a":1,}', '\ufeff{}');

/** Generates requests of an operation at `template`. */
export function requestsOf(
  template: string,
  { parameters, requestBody }: Operation,
): fc.Arbitrary<ContractRequest> {
  const schema = requestBody?.content['application/json'].schema;
  const body: fc.Arbitrary<{ text: string | undefined; isValid: boolean }> =
    schema === undefined
      ? fc.constant({ text: undefined, isValid: true })
      : fc.oneof(
          {
            weight: 12,
            arbitrary: near(schema).map((value) => ({
              text: JSON.stringify(value),
              isValid: fits(schema, value),
            })),
          },
          {
            weight: 1,
            arbitrary: broken.map((text) => ({
              text,
              isValid: text === undefined && !requestBody?.required,
            })),
          },
        );
  const given = parameters.map((parameter) => {
    const present = near(parameter.schema)
      .map(String)
      .filter((text) => text.isWellFormed());
    const isLeftOut = fc.integer({ min: 0, max: 9 }).map((dice) => parameter.in === 'query' && dice < 3);
    return fc.tuple(present, isLeftOut).map(([text, without]) => ({
      ...{ parameter, text: without ? undefined : text },
      isValid: without ? !parameter.required : fits(parameter.schema, text),
    }));
  });
  const option = fc.constantFrom(...Array<string>(9).fill(''), 'unknown=1');
  return fc.tuple(body, fc.tuple(...given), option).map(([{ text, isValid }, values, more]) => {
    let path = template;
    const query = new URLSearchParams(more);
    for (const { parameter, text = '' } of values.filter((value) => value.text !== undefined)) {
      if (parameter.in === 'path') path = path.replace(`{${parameter.name}}`, () => encodeURIComponent(text));
      else query.append(parameter.name, text);
    }
    return {
      path: query.size === 0 ? path : `${path}?${query}`,
      body: text,
      isValid: isValid && more === '' && values.every((value) => value.isValid),
    };
  });
}
