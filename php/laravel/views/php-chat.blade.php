<script type="module" src="{{ $script }}"></script>
<{{ $tag }} {{ $attributes->merge($defaults) }}>{{ $slot->isEmpty() ? $unloaded : $slot }}</{{ $tag }}>
