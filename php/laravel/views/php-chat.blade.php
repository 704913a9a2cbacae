<script type="module" src="{{ $script }}"></script>
<{{ $tag }} {{ $attributes->merge($defaults) }}>{{ $slot }}</{{ $tag }}>
