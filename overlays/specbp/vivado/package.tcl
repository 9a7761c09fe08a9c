# Packages the overlay's RTL as an IP that block designs can use.
#
# Takes the dictionary `settings` (see build.tcl). Does not synthesise anything.

proc package_ip {settings} {
    set folder [dict get $settings ip_folder]
    create_project -force -part [dict get $settings part] package_ip $folder/project
    foreach file [dict get $settings rtl] {
        add_files -norecurse $file
    }
    set_property top [dict get $settings top] [current_fileset]
    update_compile_order -fileset sources_1
    lassign [split [dict get $settings vlnv] :] vendor library name version
    ipx::package_project -root_dir $folder/ip -vendor $vendor -library $library \
        -taxonomy /UserIP -import_files -set_current true
    set core [ipx::current_core]
    set_property name $name $core
    set_property version $version $core
    set_property display_name {specbp overlay} $core
    set_property supported_families [dict get $settings families] $core

    # AXI ports are found by their names; the clock has to be told which of them are its own.
    set buses [list [dict get $settings control_port] {*}[dict get $settings memory_ports]]
    set clock [dict get $settings clock_pin]
    set reset [dict get $settings reset_pin]
    ipx::infer_bus_interface $clock xilinx.com:signal:clock_rtl:1.0 $core
    ipx::infer_bus_interface $reset xilinx.com:signal:reset_rtl:1.0 $core
    set_bus_parameter $core $reset POLARITY ACTIVE_LOW
    foreach bus $buses {
        ipx::associate_bus_interfaces -busif $bus -clock $clock $core
    }
    set interrupt [dict get $settings interrupt_pin]
    ipx::infer_bus_interface $interrupt xilinx.com:signal:interrupt_rtl:1.0 $core
    set_bus_parameter $core $interrupt SENSITIVITY LEVEL_HIGH

    package_registers $settings $core
    ipx::create_xgui_files $core
    ipx::update_checksums $core
    ipx::save_core $core
    close_project
}

# Sets a parameter of an interface, which may have been inferred with it.
proc set_bus_parameter {core bus name value} {
    set interface [ipx::get_bus_interfaces $bus -of_objects $core]
    set parameter [ipx::get_bus_parameters -quiet $name -of_objects $interface]
    if {$parameter eq ""} {
        set parameter [ipx::add_bus_parameter $name $interface]
    }
    set_property value $value $parameter
}

# The register map goes into the handoff, from where pynq takes names and fields.
proc package_registers {settings core} {
    set port [dict get $settings control_port]
    set maps [ipx::get_memory_maps $port -of_objects $core]
    if {[llength $maps] == 0} {
        set map [ipx::add_memory_map $port $core]
        set_property slave_memory_map_ref $port [ipx::get_bus_interfaces $port -of_objects $core]
    } else {
        set map [lindex $maps 0]
    }
    foreach old [ipx::get_address_blocks -of_objects $map] {
        ipx::remove_address_block [get_property name $old] $map
    }
    set block [ipx::add_address_block Reg $map]
    set_property usage register $block
    set_property range [dict get $settings span] $block
    set_property width 32 $block
    foreach register [dict get $settings registers] {
        lassign $register name offset description fields
        set entry [ipx::add_register $name $block]
        set_property address_offset $offset $entry
        set_property size 32 $entry
        set_property description $description $entry
        foreach field $fields {
            lassign $field field_name low width
            set part [ipx::add_field $field_name $entry]
            set_property bit_offset $low $part
            set_property bit_width $width $part
        }
    }
}
