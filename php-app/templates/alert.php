<?php

declare(strict_types=1);

?>
<p class="alert" role="alert" id="err"><svg class="i" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 4 2.8 19.5h18.4zM12 10v4.5M12 17.2h.01"/></svg><span><?= $e($error) ?></span></p>
