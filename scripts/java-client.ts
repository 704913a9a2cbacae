import { generateJava, type JavaOptions, readJava, type Schema } from './java-types.ts';

/** The settings of the Java client's data types. */
export function javaOptions(asyncApi: object): JavaOptions {
  const { components } = asyncApi as { components: { schemas: Record<string, Schema> } };
  return {
    schemas: components.schemas,
    choices: {
      'File.audio.peaks': {
        doc: 'The loudness of a voice message, as its sender measured it: {@link #PEAKS} digits from `0` to `v`. Absent for other sound.',
      },
    },
    ints: new Set(['width', 'height']),
    written: ['File'],
  };
}

/** Returns the files of the Java client with generated code, by name. */
export const javaFiles = (asyncApi: object): Map<string, string> =>
  generateJava(readJava(), javaOptions(asyncApi));
