/** The name of a file. A long name is truncated before its extension. */
export function FileName({ name }: { readonly name: string }) {
  const [, stem = name, ending = ''] = /^(.+?)(\.[^.]{1,12})$/.exec(name) ?? [];
  return (
    <b class="file-name">
      <bdi>{stem}</bdi>
      <bdi>{ending}</bdi>
    </b>
  );
}
