<?php

declare(strict_types=1);

?>
<span class="mark" aria-hidden="true"><svg class="i" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 21V9M12 12C12 7 8 4.5 4 4.5 4 9.5 7 12 12 12zM12 15.5c0-4.5 3.5-7 8-7 0 4.5-3.5 7-8 7z"/></svg></span>
