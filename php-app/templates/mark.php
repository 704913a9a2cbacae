<?php

declare(strict_types=1);

?>
<span class="mark" aria-hidden="true"><svg class="i" viewBox="0 0 24 24" aria-hidden="true"><path d="M4 5h16v11.5H10.5L6 20v-3.5H4z"/></svg></span>
