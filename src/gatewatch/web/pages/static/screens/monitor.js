// Monitor: what is selected beneath the chart.

import "./traces.js";
