// Monitor: its chart, stretches of it, and the traces behind them.

import "../js/stretch.js";
import "./traces.js";
