/** The name of a file; a long one is cut before its ending. */
export function FileName({ name }: { readonly name: string }) {
  const [, stem = name, ending = ''] = /^(.+?)(\.[^.]{1,12})$/.exec(name) ?? [];
  return (
    <b class="file-name">
      <bdi>{stem}</bdi>
      <bdi>{ending}</bdi>
    </b>
  );
}
